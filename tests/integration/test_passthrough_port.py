# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""passthrough_port against a real libvirtd, whose ledger is read with virsh."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, ROUTER, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON, Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF


@pytest.fixture(params=["passthrough", "hostdev"])
def network(request, host: Host) -> str:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0", mode=request.param)
    return request.param


def test_a_member_is_taken_once_however_often_it_is_asked_for_and_given_back_once(host: Host, network):
    foretold = host.module("passthrough_port", check=True, **FIREWALL)
    assert (foretold["changed"], host.ports("n")) == (True, [])
    taken = host.module("passthrough_port", **FIREWALL)
    assert (taken["changed"], taken["actions"], taken["diff"]) == (True, foretold["actions"], foretold["diff"])
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


@pytest.mark.parametrize(
    "mistaken",
    [
        ROUTER,
        {**FIREWALL, "owner_name": "gate"},
        {**FIREWALL, "mac": "52:54:00:00:00:08"},
        {"network": "n", "mac": "52:54:00:00:00:08"},
        {**FIREWALL, "plug": {"interface": "enp1s0v1"}},
    ],
)
def test_a_lease_that_is_not_as_it_is_described_is_not_released(host: Host, mistaken):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0")
    lease = host.module("passthrough_port", **FIREWALL, mac="52:54:00:00:00:07")["port"]
    for check in (True, False):
        refusal = host.refusal("passthrough_port", check=check, state="absent", **mistaken, uuid=lease["uuid"])
        assert "it stays, so name the lease to release" in refusal
    assert len(host.ports("n")) == 1
    assert host.module("passthrough_port", state="absent", **FIREWALL, uuid=lease["uuid"], vlan=6)["changed"]


def test_two_leases_of_one_owner_are_told_apart_by_their_mac(host: Host, network):
    for mac in ("52:54:00:00:00:07", "52:54:00:00:00:08"):
        assert host.module("passthrough_port", **FIREWALL, mac=mac)["changed"]
        assert not host.module("passthrough_port", **FIREWALL, mac=mac)["changed"]
    assert not host.module("passthrough_port", **FIREWALL, mac="52-54-00-00-00-08")["changed"]
    assert "say which by uuid or mac" in host.refusal("passthrough_port", **FIREWALL, state="absent")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**FIREWALL, "network": "m"}, "There is no network m"),
        ({"network": "n", "uuid": "12"}, "uuid '12' is malformed"),
        ({"network": "n", "uuid": ROUTER["owner_uuid"]}, "needs owner_name and owner_uuid"),
        ({"network": "n", "owner_name": "firewall"}, "owner_uuid"),
        ({**FIREWALL, "owner_name": " "}, "owner_name ' ' is no name"),
        ({**FIREWALL, "owner_name": "a\x01"}, r"owner_name 'a\x01' is no name"),
        ({**FIREWALL, "portgroup": "g"}, "has no port group g: it has none"),
        ({**FIREWALL, "vlan": 4095}, "VLAN 4095 cannot be set"),
        ({**FIREWALL, "mac": "52:54:0:0:0:7"}, "is no MAC address: write six pairs"),
        ({**FIREWALL, "mac": 41112000007}, "is a number, because YAML reads digits with colons so"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(host: Host, options, words):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert words in host.refusal("passthrough_port", **options)
    assert host.ports("n") == []


def test_of_a_network_that_is_no_more_no_lease_is_left(host: Host):
    released = host.module("passthrough_port", **FIREWALL, state="absent")
    assert (released["changed"], released["port"]) == (False, None)
    assert "There is no network n" in host.refusal("passthrough_port", **FIREWALL)


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
            bring_port_to_state(options, False, print)
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


def test_while_libvirt_has_lost_count_no_lease_is_made_until_a_run_of_the_network_has_put_that_right(host: Host, network):
    """A reload sets every count to 0, and libvirt gives the first member to all who come."""
    web1 = host.port_create("n", "web1")
    mine = host.module("passthrough_port", **ROUTER)["port"]
    host.port_delete("n", host.ports("n")[0])
    host.sighup()
    for check in (True, False):
        for options in (FIREWALL, {**FIREWALL, "plug": mine["plug"] | {kind: web1["member"] for kind in mine["plug"] if kind in ("interface", "address")}}):
            said = host.refusal("passthrough_port", check=check, **options)
            assert "libvirt has lost count of the leases of the network n (on " in said and "run vfpool.sriov.passthrough_network" in said
    assert [lease["owner"] for lease in host.ports("n")] == ["router"]
    assert not host.module("passthrough_port", **ROUTER)["changed"]
    host.module("passthrough_network", name="n", pf="enp1s0", mode=network)
    assert host.module("passthrough_port", **FIREWALL)["port"]["plug"] != mine["plug"]
    assert "none are available" in host.virsh_error("net-port-create n /dev/stdin", stdin=f"""
        <networkport><uuid>{ROUTER["owner_uuid"]}</uuid><owner><name>late</name><uuid>{ROUTER["owner_uuid"]}</uuid></owner>
        <mac address='52:54:00:00:00:09'/></networkport>""")


def test_a_free_member_that_libvirt_counts_below_0_is_not_taken(host: Host, network):
    """What is released after a reload is counted so, which no document of libvirt's shows, until the daemon starts again."""
    web1 = host.port_create("n", "web1")
    host.sighup()
    host.port_delete("n", web1)
    for options in (FIREWALL, {**FIREWALL, "plug": {"interface" if network == "passthrough" else "address": web1["member"]}}):
        assert "and may give one VF to two: restart libvirt's daemon" in host.refusal("passthrough_port", **options)
        assert host.ports("n") == []
    host.restart_libvirtd()
    host.module("passthrough_port", **FIREWALL)
    assert host.ports("n")[0]["member"] == web1["member"]
    assert host.port_create("n", "web1")["member"] != web1["member"]


def test_a_lease_of_a_member_that_libvirt_gave_to_another_too_is_not_confirmed(host: Host, network):
    mine = host.module("passthrough_port", **FIREWALL)["port"]
    host.sighup()
    web1 = host.port_create("n", "web1")
    assert f"to several (firewall holds {web1['member']}, web1 holds {web1['member']})" in host.refusal("passthrough_port", **FIREWALL)
    host.port_delete("n", web1)
    assert host.module("passthrough_port", **FIREWALL)["port"] == mine


INTERFACE = "<interface type='direct'><mac address='52:54:00:00:00:01'/><source {}dev='enp1s0v0' mode='passthrough'/></interface>"
WEB1 = "b4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
ADDRESS = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"


@pytest.mark.parametrize(
    "device",
    [
        INTERFACE.format(""),
        INTERFACE.format("network='gone' portid='a4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a' "),
        f"<interface type='hostdev'><mac address='52:54:00:00:00:01'/><source>{ADDRESS}</source></interface>",
        f"<hostdev mode='subsystem' type='pci'><source>{ADDRESS}</source></hostdev>",
    ],
    ids=["macvtap", "macvtap of another network", "VF", "PCI device"],
)
def test_what_a_guest_holds_without_a_lease_of_the_network_is_not_given(host: Host, network, device):
    warm = Warm(host)
    first, second = ("enp1s0v0", "enp1s0v1") if network == "passthrough" else ("0000:01:10.0", "0000:01:10.2")
    kind = "interface" if network == "passthrough" else "address"
    warm.guests.append(f"<domain><name>web1</name><uuid>{WEB1}</uuid><devices>{device}</devices></domain>")
    assert warm.module("passthrough_port", **FIREWALL)["port"]["plug"][kind] == second
    for check in (True, False):
        refusal = warm.attempt("passthrough_port", _ansible_check_mode=check, **ROUTER)
        assert refusal and f"for firewall holds {second}, web1 holds {first}" in refusal["msg"]
        refusal = warm.attempt("passthrough_port", _ansible_check_mode=check, **ROUTER, plug={kind: first})
        assert refusal and f"because web1 holds {first}" in refusal["msg"]
    assert [lease["member"] for lease in host.ports("n")] == [second]
    web1 = warm.module("passthrough_port", network="n", owner_name="web1", owner_uuid=WEB1, plug={kind: first})["port"]
    assert web1["plug"][kind] == first


def test_what_is_leased_from_another_network_is_not_given(host: Host, network):
    """The count of one network knows nothing of another that hands out the same VFs."""
    warm = Warm(host)
    other = {"mode": "hostdev" if network == "passthrough" else "passthrough", "overlap": "warn"}
    warm.module("passthrough_network", name="other", pf="enp1s0", **other)
    theirs = warm.module("passthrough_port", **{**ROUTER, "network": "other"})["port"]
    first, second = ("enp1s0v0", "enp1s0v1") if network == "passthrough" else ("0000:01:10.0", "0000:01:10.2")
    assert warm.module("passthrough_port", **FIREWALL)["port"]["plug"].items() >= {("interface" if network == "passthrough" else "address", second)}
    for late in ({}, {"plug": {"interface" if network == "passthrough" else "address": first}}):
        refusal = warm.attempt("passthrough_port", network="n", owner_name="late", owner_uuid=WEB1, **late)
        assert refusal and f"router holds {first}" in refusal["msg"]
    host.virsh("net-destroy other")
    assert theirs["plug"] and warm.module("passthrough_port", network="n", owner_name="late", owner_uuid=WEB1)["changed"]


def test_a_vf_that_is_no_more_is_not_given_though_the_live_pool_has_it(host: Host, network):
    warm = Warm(host)
    card = host.tree.functions["0000:01:00.0"]
    assert isinstance(card, PF)
    card.remove_vf(0)
    assert len(host.members("n")) == 2
    taken = warm.module("passthrough_port", **FIREWALL)["port"]["plug"]
    assert (taken.get("interface") or taken["address"]) == host.members("n")[1]
    assert "has no free member, for firewall holds" in warm.refusal("passthrough_port", **ROUTER)
    card.remove_vf(1)
    assert "none of its VFs is here" in warm.refusal("passthrough_port", **ROUTER)


@pytest.mark.parametrize("mode", ["private", "vepa", "bridge"])
def test_a_vf_that_is_elsewhere_is_not_given_where_members_are_shared(host: Host, mode: str):
    warm = Warm(host)
    card = host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    warm.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    card.vf(0).elsewhere()
    foretold = warm.module("passthrough_port", **FIREWALL, _ansible_check_mode=True, _ansible_diff=True)
    done = warm.module("passthrough_port", **FIREWALL, _ansible_diff=True)
    assert done["port"]["plug"]["interface"] == "enp1s0v1"
    assert foretold["diff"] == done["diff"]
    card.vf(1).elsewhere()
    assert "none of its VFs is here" in warm.refusal("passthrough_port", **ROUTER)
    assert len(warm.ledger("n")["leases"]) == 1


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
def test_a_run_that_is_killed_at_any_call_has_leased_nothing_that_a_guest_holds(host: Host, network, answered):
    warm = Warm(host)
    mine, device = ("enp1s0v1", INTERFACE.format("")) if network == "passthrough" else ("0000:01:10.2", INTERFACE.format("network='gone' "))
    warm.guests.append(f"<domain><name>web1</name><uuid>{WEB1}</uuid><devices>{device}</devices></domain>")
    number = 0
    while True:
        with Cut(host, number, answered) as cut:
            warm.attempt("passthrough_port", **FIREWALL, uri=URI)
        there = host.ports("n")
        assert warm.module("passthrough_port", **FIREWALL)["changed"] == (not there)
        assert [lease["member"] for lease in there or host.ports("n")] == [mine]
        warm.module("passthrough_port", **FIREWALL, state="absent")
        if not cut.fallen:
            break
        number += 1
    assert number > 5


def test_a_guest_that_starts_in_the_middle_of_a_run_has_its_member_alone(host: Host, network):
    """It is given what the run has just chosen, so the run takes the next."""
    warm = Warm(host)
    for number in range(100):
        with Cut(host, number, fall=lambda _pid: host.port_create("n", "web1"), goes_on=True) as cut:
            warm.module("passthrough_port", **FIREWALL, uri=URI)
        if not cut.fallen:
            break
        assert len({lease["member"] for lease in host.ports("n")}) == 2
        for lease in host.ports("n"):
            host.port_delete("n", lease)
    assert number > 5


def test_a_guest_of_another_network_that_starts_in_the_middle_of_a_run_has_its_member_alone(host: Host, network):
    """But for one that comes after the last look: it finds its VF in use."""
    warm = Warm(host)
    warm.module("passthrough_network", name="other", interfaces=["enp1s0v0", "enp1s0v1"], overlap="warn")
    names = {"0000:01:10.0": "enp1s0v0", "0000:01:10.2": "enp1s0v1"}
    shared: list[bool] = []
    for number in range(100):
        with Cut(host, number, fall=lambda _pid: host.port_create("other", "web1"), goes_on=True) as cut:
            mine = warm.module("passthrough_port", **FIREWALL, uri=URI)["port"]["plug"]
        theirs = host.ports("other")
        shared += [names.get(mine.get("address"), mine.get("interface")) == lease["member"] for lease in theirs]
        if cut.fallen and shared[-1]:
            refusal = warm.attempt("passthrough_port", **FIREWALL)
            assert refusal and "one member of the network n to several (firewall holds " in refusal["msg"] and ", web1 holds " in refusal["msg"]
        for lease in theirs:
            host.port_delete("other", lease)
        assert not warm.module("passthrough_port", **FIREWALL)["changed"]
        host.port_delete("n", host.ports("n")[0])
        if not cut.fallen:
            break
    assert len(shared) > 10 and shared == sorted(shared) and sum(shared) < 4
