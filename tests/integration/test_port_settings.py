# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease for which passthrough_port names the member has what a lease has for which libvirt chooses it."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host, network
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

OWNER = {"owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
PORT = {"network": "pool", "uuid": "a4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "mac": "52:54:00:00:00:07", **OWNER}
VLAN = "<vlan><tag id='7'/></vlan>"
QBH = "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"
QBG_START = "<virtualport type='802.1Qbg'><parameters managerid='11'/></virtualport>"
QBG_REST = "<virtualport type='802.1Qbg'><parameters typeid='5' typeidversion='2'/></virtualport>"
QBG = "<virtualport type='802.1Qbg'><parameters managerid='11' typeid='5' typeidversion='2' instanceid='f7cb769f-bec7-4809-abb9-b90ceeb9354c'/></virtualport>"
GROUPS = "<portgroup name='g' trustGuestRxFilters='no'><vlan><tag id='9'/></vlan></portgroup><portgroup name='d' default='yes' trustGuestRxFilters='yes'/>"


def every_setting(test: Any) -> Any:
    cases = [
        ("passthrough", "", f"{VLAN}<port isolated='no'/>{GROUPS}"),
        ("passthrough", "", f"{QBG}<portgroup name='g'/>"),
        ("hostdev", "<driver name='vfio'/>", f"{VLAN}{GROUPS}"),
        ("hostdev' managed='yes", "", f"{QBH}<portgroup name='g' trustGuestRxFilters='yes'/>"),
        ("private", "", f"{QBH}<portgroup name='g'/>"),
        ("vepa", "", f"{QBG_START}<portgroup name='g' default='yes'>{QBG_REST}</portgroup>"),
        ("bridge", "", "<portgroup name='g'/>"),
    ]
    return pytest.mark.parametrize(("mode", "driver", "rest"), cases)(pytest.mark.parametrize("group", [None, "g"])(test))


def allocate(host: Host, mode: str, driver: str, rest: str, group: str | None) -> None:
    """A lease of which libvirt itself made all but what names it."""
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.define(network(f"{driver}<pf dev='enp1s0'/>", mode=mode, rest=rest).replace("<network>", "<network trustGuestRxFilters='yes'>"))
    host.virsh("net-port-create pool /dev/stdin", stdin=f"""
        <networkport><uuid>{PORT["uuid"]}</uuid><owner><name>{PORT["owner_name"]}</name><uuid>{PORT["owner_uuid"]}</uuid></owner>
        {f"<group>{group}</group>" if group else ""}<mac address='{PORT["mac"]}'/></networkport>""")


@every_setting
def test_a_confirmed_member_has_every_setting_that_libvirt_itself_gives(host: Host, mode: str, driver: str, rest: str, group: str | None):
    allocate(host, mode, driver, rest, group)
    warm = Warm(host)
    port = {**PORT, "portgroup": group} if group else PORT
    allocated = warm.module("passthrough_port", **port)["port"]
    assert warm.module("passthrough_port", **port, state="absent")["changed"]
    confirmed = warm.module("passthrough_port", **port, plug=allocated["plug"])
    assert confirmed["changed"]
    assert each_time(confirmed["port"]["xml"]) == each_time(allocated["xml"])


@every_setting
def test_check_mode_foretells_the_whole_port(host: Host, mode: str, driver: str, rest: str, group: str | None):
    allocate(host, mode, driver, rest, group)
    warm = Warm(host)
    port = {"network": "pool", "owner_name": "\"a\" <b> & c's", "owner_uuid": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "portgroup": group}
    more: dict = {}
    for _without_a_plug_and_with_one in range(2):
        foretold, taken = (warm.module("passthrough_port", **port, **more, _ansible_check_mode=check, _ansible_diff=True) for check in (True, False))
        assert each_time(foretold["diff"]["after"]) == each_time(taken["diff"]["after"]) == each_time(taken["port"]["xml"])
        assert warm.module("passthrough_port", **port, **more, state="absent")["changed"]
        more = {"mac": "52:54:00:00:00:0b", "plug": taken["port"]["plug"]}


@every_setting
def test_a_lease_that_libvirt_forgot_comes_back_with_every_setting_that_it_had(host: Host, mode: str, driver: str, rest: str, group: str | None):
    allocate(host, mode, driver, rest, group)
    warm = Warm(host)
    before = host.virsh(f"net-port-dumpxml pool {PORT['uuid']}")
    port, state = ElementTree.fromstring(before), host.root / "run/libvirt/qemu/firewall.xml"
    named = f"<name>{PORT['owner_name']}</name><uuid>{PORT['owner_uuid']}</uuid>"
    source = f"network='pool' portid='{PORT['uuid']}'" + (f" portgroup='{group}'" if group else "")
    mac = f"<mac address='{PORT['mac']}'/>"
    given = "".join(ElementTree.tostring(port.find(tag), encoding="unicode") for tag in ("vlan", "virtualport", "port") if port.find(tag) is not None)
    plug = port.find("plug")
    assert plug is not None
    if mode.startswith("hostdev"):  # its lease is in a file of libvirt's own, beside what the guest has
        address = ElementTree.tostring(plug.find("address"), encoding="unicode").replace("<address", "<address type='pci'")
        actual = f"<actual type='{mode}'>{driver}<source>{address}</source>{given}</actual>"
        state.write_text(f"<domstatus><domain><devices><interface type='network'>{mac}<source {source}/>{actual}</interface></devices></domain></domstatus>")
        live = f"<interface type='hostdev'>{mac}<source>{address}</source>{given}</interface>"
    else:
        live = f"<interface type='direct'>{mac}<source {source} dev='{plug.get('dev')}' mode='{plug.get('mode')}'/>{given}</interface>"
    warm.guests.append(f"<domain>{named}<devices>{live}</devices></domain>")
    host.virsh("net-destroy pool")
    host.virsh("net-start pool")
    assert warm.module("passthrough_network", name="pool", xml=host.virsh("net-dumpxml pool --inactive"))["changed"]
    assert host.virsh(f"net-port-dumpxml pool {PORT['uuid']}") == before
    state.unlink(missing_ok=True)


def each_time(port: str) -> str:
    """A port's document without what libvirt makes up: an instanceid where the network gives none."""
    return port if "f7cb769f" in port else re.sub("instanceid='[-0-9a-f]{36}'", "instanceid", port)


def test_a_confirmed_member_keeps_a_vlan_of_its_own(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.define(network(rest=VLAN))
    confirmed = Warm(host).module("passthrough_port", **PORT, vlan=5, plug={"interface": "enp1s0v1"})["port"]
    assert re.findall("<tag id='.'/>", confirmed["xml"]) == ["<tag id='5'/>"]


@pytest.mark.parametrize("of_group", [QBH, "<virtualport type='802.1Qbg'><parameters managerid='12'/></virtualport>"])
def test_a_profile_that_contradicts_itself_starts_no_guest_and_makes_no_lease(host: Host, of_group: str):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    document = network(rest=f"{QBG}<portgroup name='g'>{of_group}</portgroup>")
    host.define(document)
    port = f"<networkport><uuid>{PORT['uuid']}</uuid><owner><name>web1</name><uuid>{OWNER['owner_uuid']}</uuid></owner><group>g</group>"
    assert "attempt to merge virtualports" in host.virsh_error("net-port-create pool /dev/stdin", stdin=f"{port}<mac address='{PORT['mac']}'/></networkport>")
    for module, options in (("passthrough_port", {**PORT, "portgroup": "g"}), ("passthrough_network", {"name": "pool", "xml": document})):
        refusal = Warm(host).attempt(module, **options)
        assert refusal and "The port group g has a virtualport with " in refusal["msg"]
    assert host.ports("pool") == []
