# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt by itself: what it makes of a definition without telling, and what it refuses.

These tests use nothing of this collection. They hold down the behaviour that it exists for: where one of them fails,
libvirt has changed, and the collection's answer to it should be looked at again.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host, network
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

EVERY_MODE = ("passthrough", "private", "vepa", "bridge", "hostdev")
PF_ELEMENT = "<pf dev='enp1s0'/>"
INTERFACE = "<interface dev='enp1s0v3'/>"
ADDRESS = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x2'/>"


def elements(host: Host, inactive: bool = True) -> list[str]:
    return [element.tag for element in host.xml("pool", inactive).findall("forward/*")]


@pytest.mark.parametrize(("mode", "given", "kept"), [
    ("passthrough", PF_ELEMENT + INTERFACE, ["interface"]),
    ("hostdev", PF_ELEMENT + ADDRESS, ["address"]),
    ("passthrough", INTERFACE + ADDRESS, ["interface"]),
])
def test_of_two_kinds_of_pool_one_is_silently_dropped(host: Host, card: PF, mode: str, given: str, kept: list[str]) -> None:
    host.define(network(given, mode=mode), start=False)
    assert elements(host) == kept


def test_a_managed_that_is_not_yes_becomes_no(host: Host, card: PF) -> None:
    host.define(network(mode="hostdev' managed='true"), start=False)
    forward = host.xml("pool", inactive=True).find("forward")
    assert forward is not None and forward.get("managed") == "no"


def test_a_misspelt_element_vanishes(host: Host, card: PF) -> None:
    host.define(network(rest="<portgruop name='red'/>"), start=False)
    assert [element.tag for element in host.xml("pool", inactive=True)] == ["name", "uuid", "forward"]


@pytest.mark.parametrize("document", [network(mode="hostdev' managed='true"), network(rest="<portgruop name='red'/>")])
def test_validation_against_the_schema_refuses_both(host: Host, card: PF, document: str) -> None:
    assert "failed to validate against schema" in host.virsh_error("net-define --validate /dev/stdin", stdin=document)


@pytest.mark.parametrize("name", ["../net/enp1s0", "no such interface", "x" * 40])
def test_a_pf_may_have_a_name_that_no_interface_can_have(host: Host, name: str) -> None:
    host.define(network(f"<pf dev='{name}'/>"), start=False)
    assert host.xml("pool", inactive=True).findall(f"forward/pf[@dev='{name}']")


def test_a_definition_made_from_a_live_dump_freezes_the_pool(host: Host, card: PF) -> None:
    host.define(network())
    assert elements(host) == ["pf"]
    host.virsh("net-define /dev/stdin", stdin=host.virsh("net-dumpxml pool"))
    assert elements(host) == ["interface"] * 4
    card.resize(6)
    host.virsh("net-destroy pool")
    host.virsh("net-start pool")
    assert len(host.members("pool")) == 4


def test_an_interface_added_to_the_definition_of_a_pf_is_invisible_until_it_is_the_whole_pool(host: Host, card: PF) -> None:
    host.define(network())
    host.virsh("net-update pool add forward-interface", INTERFACE, "--config")
    assert elements(host) == ["pf"]
    host.virsh("net-destroy pool")
    host.virsh("net-start pool")
    assert host.members("pool") == ["enp1s0v3"]
    assert elements(host) == ["pf"]


def test_a_live_hostdev_pool_takes_an_interface_among_its_addresses(host: Host, card: PF) -> None:
    host.define(network(mode="hostdev"))
    host.virsh("net-update pool add forward-interface", INTERFACE, "--live")
    assert elements(host, inactive=False) == ["address"] * 4 + ["interface"]


def test_a_vlan_is_accepted_where_each_guest_has_a_vf_of_its_own_even_a_trunk(host: Host, card: PF) -> None:
    for mode in ("passthrough", "hostdev"):
        for vlan in ("<vlan><tag id='5'/></vlan>", "<vlan trunk='yes'><tag id='5'/><tag id='6'/></vlan>"):
            host.define(network(mode=mode, rest=vlan))
            assert host.xml("pool", inactive=True).findall("vlan/tag")
            host.virsh("net-destroy pool")
            host.virsh("net-undefine pool")


def test_a_vlan_is_refused_where_guests_share_a_vf(host: Host, card: PF) -> None:
    # Mode bridge is not among them: libvirt 9.0 refuses a VLAN there, 11.3 takes it, for the sake of bridges of the kernel.
    for mode in ("private", "vepa"):
        refusal = host.virsh_error("net-define /dev/stdin", stdin=network(mode=mode, rest="<vlan><tag id='5'/></vlan>"))
        assert "doesn't support vlan configuration" in refusal


def test_what_belongs_to_a_bridge_of_libvirts_own_is_refused_in_every_mode(host: Host, card: PF) -> None:
    for mode in EVERY_MODE:
        for element, words in (
            ("<mac address='52:54:00:11:22:33'/>", "Unsupported <mac> element"),
            ("<ip address='10.0.0.1' netmask='255.255.255.0'/>", "Unsupported <ip> element"),
            ("<dns><host ip='10.0.0.2'><hostname>web1</hostname></host></dns>", "Unsupported <dns> element"),
            ("<domain name='example.org'/>", "Unsupported <domain> element"),
            ("<bandwidth><inbound average='100'/></bandwidth>", "Unsupported network-wide <bandwidth> element"),
            ("<bridge name='virbr9'/>", "bridge name"),
            ("<mtu size='9000'/>", "mtu size only allowed in"),
        ):
            assert words in host.virsh_error("net-define /dev/stdin", stdin=network(mode=mode, rest=element))


@pytest.mark.parametrize("character", ["&", "<", "'"])
def test_a_network_whose_port_profile_has_markup_in_its_name_is_lost_when_the_daemon_restarts(host: Host, card: PF, character: str) -> None:
    parameters = f"<parameters profileid='a{escape(character, {chr(39): '&apos;'})}b'/>"
    host.define(network(rest=f"<virtualport type='802.1Qbh'>{parameters}</virtualport>"), start=False)
    assert f"<parameters profileid='a{character}b'/>" in host.virsh("net-dumpxml pool")
    host.restart_libvirtd()
    assert host.virsh("net-list --all --name") == ""
