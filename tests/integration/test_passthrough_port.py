# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""passthrough_port against a real libvirtd, whose ledger is read with virsh."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON

FIREWALL = {"network": "n", "owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
ROUTER = {"network": "n", "owner_name": "router", "owner_uuid": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}


@pytest.fixture(params=["passthrough", "hostdev"])
def network(request, host: Host) -> str:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0", mode=request.param)
    return request.param


def test_a_member_is_taken_once_however_often_it_is_asked_for_and_given_back_once(host: Host, network):
    foretold = host.module("passthrough_port", check=True, **FIREWALL)
    assert (foretold["changed"], host.ports("n")) == (True, [])
    taken = host.module("passthrough_port", **FIREWALL)
    assert (taken["changed"], taken["actions"]) == (True, foretold["actions"])
    (lease,) = host.ports("n")
    assert lease == {
        "port": taken["port"]["uuid"], "owner": "firewall", "owner_uuid": FIREWALL["owner_uuid"], "mac": taken["port"]["mac"],
        "member": taken["port"]["plug"].get("interface") or taken["port"]["plug"]["address"]}
    for same in (FIREWALL, {"network": "n", "uuid": lease["port"]}):
        assert host.module("passthrough_port", **same)["port"] == taken["port"]
        assert not host.module("passthrough_port", **same)["changed"]
    assert host.port_create("n", "web1")["member"] != lease["member"]
    assert host.module("passthrough_port", state="absent", network="n", uuid=lease["port"])["changed"]
    assert len(host.ports("n")) == 1
    assert not host.module("passthrough_port", state="absent", **FIREWALL)["changed"]


def test_a_member_is_confirmed_after_its_lease_was_lost(host: Host, network):
    taken = host.module("passthrough_port", **FIREWALL)["port"]
    before = host.ports("n")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    again = {**FIREWALL, "uuid": taken["uuid"], "mac": taken["mac"], "plug": taken["plug"]}
    confirmed = host.module("passthrough_port", **again)
    assert confirmed["changed"]
    assert host.ports("n") == before
    assert not host.module("passthrough_port", **again)["changed"]


def test_a_member_that_another_holds_cannot_be_confirmed(host: Host, network):
    plug = host.module("passthrough_port", **FIREWALL)["port"]["plug"]
    assert "because firewall holds" in host.refusal("passthrough_port", **ROUTER, plug=plug)
    assert "cannot be confirmed: name one of these" in host.refusal("passthrough_port", **ROUTER, plug={"interface": "nosuch"})


def test_an_exhausted_pool_names_every_holder(host: Host, network):
    host.module("passthrough_port", **FIREWALL)
    host.module("passthrough_port", **ROUTER)
    third = {"network": "n", "owner_name": "late", "owner_uuid": "e4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
    for check in (True, False):
        refusal = host.refusal("passthrough_port", check=check, **third)
        assert "has no free member, for firewall holds" in refusal
        assert "router holds" in refusal


def test_a_lease_that_is_there_cannot_be_changed(host: Host, network):
    host.module("passthrough_port", **FIREWALL, vlan=5, mac="52:54:00:00:00:07")
    assert not host.module("passthrough_port", **FIREWALL, vlan=5)["changed"]
    assert "has vlan 5, not 6: release it first" in host.refusal("passthrough_port", **FIREWALL, vlan=6)
    assert "has owner_name firewall, not gate: release it first" in host.refusal("passthrough_port", **{**FIREWALL, "owner_name": "gate"})
    plug = host.module("passthrough_port", **FIREWALL)["port"]["plug"]
    assert not host.module("passthrough_port", **FIREWALL, plug=plug)["changed"]
    assert "not on what plug says" in host.refusal("passthrough_port", **FIREWALL, plug={**plug, "mode": "vepa"})


def test_two_leases_of_one_owner_are_told_apart_by_their_mac(host: Host, network):
    for mac in ("52:54:00:00:00:07", "52:54:00:00:00:08"):
        assert host.module("passthrough_port", **FIREWALL, mac=mac)["changed"]
        assert not host.module("passthrough_port", **FIREWALL, mac=mac)["changed"]
    assert "say which by uuid or mac" in host.refusal("passthrough_port", **FIREWALL, state="absent")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**FIREWALL, "network": "m"}, "There is no network m"),
        ({"network": "n", "uuid": "12"}, "uuid '12' is malformed"),
        ({"network": "n", "uuid": ROUTER["owner_uuid"]}, "needs owner_name and owner_uuid"),
        ({"network": "n", "owner_name": "firewall"}, "owner_uuid"),
        ({**FIREWALL, "portgroup": "g"}, "has no port group g: it has none"),
        ({**FIREWALL, "vlan": 4095}, "VLAN 4095 cannot be set"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(host: Host, options, words):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert words in host.refusal("passthrough_port", **options)
    assert host.ports("n") == []


def test_a_network_that_does_not_run_gives_nothing(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0", active=False)
    assert "is not running" in host.refusal("passthrough_port", **FIREWALL)
    assert not host.module("passthrough_port", **FIREWALL, state="absent")["changed"]


def test_a_member_that_leaves_the_pool_in_the_middle_of_a_run_is_told_in_one_sentence(host: Host):
    """The bindings fail to decode the raw bytes that libvirt 9.0 puts into its sentence about that."""
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0")
    program = """if True:
        import libvirt
        from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
        from ansible_collections.vfpool.sriov.plugins.module_utils._passthrough_port import bring_port_to_state
        create = libvirt.virNetwork.portCreateXML
        libvirt.virNetwork.portCreateXML = lambda network, xml, flags: create(network, xml.replace("enp1s0v1", "enp9s9v9"), flags)
        options = dict.fromkeys(("mac", "portgroup", "vlan"))
        options.update(uri="qemu:///system", network="n", state="present", owner_name="firewall", uuid="f39f8f9f-9f9f-4f9f-9f9f-9f9f9f9f9f9f",
                       owner_uuid="c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", plug={"interface": "enp1s0v1", "address": None, "type": None, "mode": None})
        try:
            bring_port_to_state(options, False)
        except SriovError as error:
            print(error)
    """
    assert "does not give firewall" in host.run(*PYTHON, "-c", program).stdout


QBH = "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"


@pytest.mark.parametrize(("rest", "portgroup"), [
    (QBH, None), (f"<portgroup name='g'>{QBH}</portgroup>", "g"), (f"<portgroup name='g' default='yes'>{QBH}</portgroup>", None)])
def test_in_mode_private_a_port_profile_makes_members_exclusive(host: Host, rest, portgroup):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    host.module("passthrough_network", name="n", xml=f"<network><forward mode='private'><pf dev='enp1s0'/></forward>{rest}</network>")
    options = {"portgroup": portgroup} if portgroup else {}
    plug = host.module("passthrough_port", **FIREWALL, **options)["port"]["plug"]
    for check in (True, False):
        assert "has no free member, for firewall holds" in host.refusal("passthrough_port", check=check, **ROUTER, **options)
    assert "because firewall holds enp1s0v0" in host.refusal("passthrough_port", **ROUTER, **options, plug=plug)


def test_without_one_members_of_mode_private_are_shared(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    host.module("passthrough_network", name="n", pf="enp1s0", mode="private")
    plug = host.module("passthrough_port", **FIREWALL)["port"]["plug"]
    assert host.module("passthrough_port", **ROUTER)["port"]["plug"] == plug
