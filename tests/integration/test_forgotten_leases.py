# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that run hold VFs of which libvirt's ledger has lost the leases: no newcomer is ever given these."""

from __future__ import annotations

import json

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON, Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

NETWORK = {"name": "n", "pf": "enp1s0"}


@pytest.fixture
def warm(host: Host, card: PF) -> Warm:
    warm = Warm(host)
    warm.module("passthrough_network", **NETWORK)
    return warm


def start(host: Host, warm: Warm, guest: str, macs: tuple[str, ...] = ("52:54:00:00:00:01",)) -> list[dict]:
    """Start a guest with an interface for each MAC address; its leases."""
    taken = [host.port_create("n", guest, mac=mac, owner_uuid="c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a") for mac in macs]
    warm.guests.append(document(guest, taken))
    return taken


def document(guest: str, leases: list[dict], network: str = "n") -> str:
    interfaces = "".join(
        f"<interface type='direct'><mac address='{lease['mac']}'/>"
        f"<source network='{network}' portid='{lease['port']}' dev='{lease['member']}' mode='passthrough'/></interface>"
        for lease in leases
    )
    return f"<domain><name>{guest}</name><uuid>{leases[0]['owner_uuid']}</uuid><devices>{interfaces}</devices></domain>"


def test_a_network_that_was_stopped_under_a_guest_is_not_removed_except_by_force(host: Host, warm: Warm):
    leases = start(host, warm, "web1")
    host.virsh("net-destroy n")
    refusal = warm.attempt("passthrough_network", name="n", state="absent")
    assert refusal and "Guests hold VFs of the network n (web1 holds enp1s0v0)" in refusal["msg"]
    warm.module("passthrough_network", name="n", state="absent", on_in_use="force")
    warm.module("passthrough_network", **NETWORK)
    assert host.ports("n") == leases


def test_a_network_that_is_gone_and_made_anew_has_the_leases_of_running_guests(host: Host, warm: Warm):
    leases = start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-undefine n")
    made = warm.module("passthrough_network", **NETWORK)
    assert made["actions"][-1] == "start the network n, and put back leases that libvirt has forgotten (web1 holds enp1s0v0)"
    assert host.ports("n") == leases
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] == "enp1s0v1"


def test_a_guest_with_a_later_lease_in_the_ledger_gets_its_earlier_one_back(host: Host, warm: Warm):
    first, second = start(host, warm, "web1", ("52:54:00:00:00:01", "52:54:00:00:00:02"))
    host.port_delete("n", first)
    assert warm.module("passthrough_network", **NETWORK)["changed"]
    assert host.ports("n") == [first, second]
    assert not warm.module("passthrough_network", **NETWORK)["changed"]


def test_what_force_took_from_a_running_guest_hinders_no_later_run(host: Host, warm: Warm):
    start(host, warm, "web1")
    others = {"name": "n", "interfaces": ["enp1s0v1", "enp1s0v2"]}
    warm.module("passthrough_network", **others, on_in_use="force")
    later = warm.module("passthrough_network", **others)
    assert not later["changed"]
    assert "web1 holds enp1s0v0" in str(later["warnings"])
    port = warm.module("passthrough_port", network="n", owner_name="firewall", owner_uuid="d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a")["port"]
    assert port["plug"]["interface"] == "enp1s0v1"
    warm.release("n", port["uuid"])
    warm.module("passthrough_network", name="n", state="absent")


def test_a_pool_that_gets_back_what_a_guest_still_holds_gets_the_lease_too(host: Host, warm: Warm):
    leases = start(host, warm, "web1")
    warm.module("passthrough_network", name="n", interfaces=["enp1s0v1"], on_in_use="force")
    warm.module("passthrough_network", **NETWORK)
    assert host.ports("n") == leases


def test_a_vf_that_a_guest_holds_is_not_handed_out_under_its_other_name(host: Host, warm: Warm):
    (lease,) = start(host, warm, "web1")
    host.virsh("net-destroy n")
    warm.module("passthrough_network", **NETWORK, mode="hostdev")
    assert host.ports("n") == [{**lease, "member": "0000:01:10.0"}]
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] == "0000:01:10.2"
    host.port_delete("n", lease)
    warm.module("passthrough_network", **NETWORK, mode="hostdev")
    assert [held["member"] for held in host.ports("n")] == ["0000:01:10.0", "0000:01:10.2"]


def test_a_vf_that_a_guest_has_from_a_stopped_network_or_by_its_own_definition_is_in_no_pool(host: Host, warm: Warm):
    start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-undefine n")
    other = {**NETWORK, "name": "other"}
    for guest, words in (
        (warm.guests[0], "the guest web1 holds enp1s0v0 from the network n"),
        (warm.guests[0].replace("network='n'", ""), "the guest web1 holds enp1s0v0. "),
    ):
        warm.guests[:] = [guest]
        refusal = warm.attempt("passthrough_network", **other)
        assert refusal and words in refusal["msg"]
        assert host.virsh("net-list --all --name") == ""
    assert "the guest web1 holds 0000:01:10.0" in str(warm.module("passthrough_network", **other, mode="hostdev", overlap="warn")["warnings"])
    warm.module("passthrough_network", name="other", state="absent")
    assert warm.module("passthrough_network", **other, vfs="1-3")["changed"]


def test_a_guest_that_took_its_vf_later_by_its_own_definition_stops_only_what_hands_out_anew(host: Host, warm: Warm):
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    device = f"<hostdev mode='subsystem' type='pci'><source>{address}</source></hostdev>"
    warm.guests.append(f"<domain><name>web1</name><uuid>c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a</uuid><devices>{device}</devices></domain>")
    told = "libvirt would give one VF to two guests: the guest web1 holds enp1s0v0."
    for options in ({}, {"_ansible_check_mode": True}, {"overlap": "warn"}):
        unchanged = warm.module("passthrough_network", **NETWORK, **options)
        assert not unchanged["changed"] and told in str(unchanged["warnings"])
    switched = warm.module("passthrough_network", **NETWORK, autostart=False)
    assert switched["changed"] and told in str(switched["warnings"])
    definition = host.virsh("net-dumpxml n --inactive")
    for wanted in ({"vlan": 7}, {"vlan": 7, "_ansible_check_mode": True}):
        refusal = warm.attempt("passthrough_network", **NETWORK, **wanted)
        assert refusal and told in refusal["msg"]
    host.tree.pf("enp9s0", "0000:09:00.0", vfs=1)
    host.virsh("net-update n add-last forward-interface --live", "<interface dev='enp9s0v0'/>")
    refusal = warm.attempt("passthrough_network", **NETWORK)
    assert refusal and told in refusal["msg"]
    host.virsh("net-destroy n")
    refusal = warm.attempt("passthrough_network", **NETWORK)
    assert refusal and told in refusal["msg"]
    assert host.virsh("net-dumpxml n --inactive") == definition and host.virsh("net-list --name") == ""
    started = warm.module("passthrough_network", **NETWORK, overlap="warn")
    assert started["changed"] and told in str(started["warnings"])
    refusal = warm.attempt("passthrough_network", name="second", interfaces=["enp1s0v1"])
    assert refusal and "n hands out enp1s0v1" in refusal["msg"]


def test_info_tells_of_a_guest_whose_lease_libvirt_has_forgotten(host: Host, warm: Warm):
    start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    (network,) = warm.module("passthrough_network_info")["networks"]
    assert network["pool"]["members"][0]["lease"]["owner_name"] == "web1"
    assert network["pool"]["stale"] == [
        "libvirt has lost count of its leases on enp1s0v0",
        "a run of passthrough_network is to put back leases of the network n that libvirt has forgotten (web1 holds enp1s0v0)",
    ]


def test_check_mode_foretells_what_is_put_back(host: Host, warm: Warm):
    leases = start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    foretold = host.ports("n"), warm.module("passthrough_network", **NETWORK, _ansible_check_mode=True)
    assert foretold[0] == host.ports("n") == foretold[1]["network"]["pool"]["leases"] == []
    assert warm.module("passthrough_network", **NETWORK)["actions"] == foretold[1]["actions"]
    assert host.ports("n") == leases


@pytest.mark.parametrize("refresh", ["safe", "never"])
@pytest.mark.parametrize("changed", ["card", "definition"])
def test_check_mode_foretells_what_follows_what_is_put_back(host: Host, warm: Warm, card: PF, changed: str, refresh: str):
    options = {**NETWORK, "refresh": refresh, **({"vlan": 7} if changed == "definition" else {})}
    start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    if changed == "card":
        card.resize(5)
    else:
        host.virsh("net-define /dev/stdin", stdin=host.virsh("net-dumpxml n --inactive").replace("</forward>", "</forward><vlan><tag id='7'/></vlan>"))
    foretold, done = (warm.module("passthrough_network", **options, _ansible_check_mode=check) for check in (True, False))
    assert len(done["actions"]) == (2 if refresh == "safe" else 1)
    assert foretold["actions"] == done["actions"] and foretold.get("warnings") == done.get("warnings")


def test_a_guest_that_starts_while_the_leases_are_written_down_keeps_its_own(host: Host, warm: Warm):
    """The disk is slow: a guest starts before it says that the record is safe."""
    program = """if True:
        import libvirt, os, uuid
        from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild
        network = libvirt.open("qemu:///system").networkLookupByName("n")
        fsync = os.fsync
        def slow(fd):
            os.fsync = fsync
            network.portCreateXML(f"<networkport><uuid>{uuid.uuid4()}</uuid><owner><name>late</name><uuid>{uuid.uuid4()}</uuid></owner>"
                                  "<mac address='52:54:00:00:00:99'/></networkport>", 0)
        os.fsync = slow
        rebuild(network, Journal("n"), [], lambda lease: lease, False, [], lambda *_: None)
    """
    lease = host.port_create("n", "web1")
    host.run(*PYTHON, "-c", program)
    assert [(held["owner"], held["member"]) for held in host.ports("n")] == [("web1", lease["member"]), ("late", "enp1s0v1")]


def test_check_mode_of_a_port_counts_what_would_be_put_back(host: Host, warm: Warm):
    start(host, warm, "web1", tuple(f"52:54:00:00:00:0{index}" for index in range(4)))
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    port = {"network": "n", "owner_name": "firewall", "owner_uuid": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
    for check in (True, False):
        refusal = warm.attempt("passthrough_port", **port, _ansible_check_mode=check)
        assert refusal and "has no free member, for web1 holds enp1s0v0" in refusal["msg"]


def test_a_daemon_of_networks_alone_is_not_taken_for_a_host_without_guests(host: Host, warm: Warm):
    leases = start(host, warm, "web1")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    warm.module("passthrough_network", **NETWORK, uri="network:///system")
    assert host.ports("n") == leases


def test_a_guest_whose_own_record_cannot_be_read_is_not_taken_for_one_without_leases(host: Host, warm: Warm):
    warm.module("passthrough_network", **NETWORK, mode="hostdev")
    lease = host.port_create("n", "web1")
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    warm.guests.append(
        f"<domain><name>web1</name><uuid>{lease['owner_uuid']}</uuid><devices><interface type='hostdev'><mac address='{lease['mac']}'/>"
        f"<source>{address}</source></interface></devices></domain>"
    )
    state = host.root / "run/libvirt/qemu/web1.xml"
    state.write_text(
        f"<domstatus><domain><devices><interface type='network'><mac address='{lease['mac']}'/><source network='n' portid='{lease['port']}'/>"
        f"<actual type='hostdev'><source>{address}</source></actual></interface></devices></domain></domstatus>"
    )
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    whole = state.read_text()
    state.write_text(whole[:-20])
    refusal = warm.attempt("passthrough_network", **NETWORK, mode="hostdev")
    assert refusal and "Whose VFs the guest web1 holds is not known, for /run/libvirt/qemu/web1.xml cannot be read" in refusal["msg"]
    state.write_text(whole)
    warm.module("passthrough_network", **NETWORK, mode="hostdev")
    assert host.ports("n") == [lease]
    state.unlink()


def run_while(host: Host, guest: str, domains: str) -> list[str]:
    """The actions of a run for NETWORK in which libvirt's list of the domains that run is what the lines ``domains`` return: [web1] or none."""
    program = f"""if True:
        import json, libvirt
        from ansible_collections.vfpool.sriov.plugins.module_utils._network_options import DEFINITION_SPEC, HOST_SPEC
        from ansible_collections.vfpool.sriov.plugins.module_utils._passthrough_network import bring_to_state
        class Guest:
            XMLDesc = lambda self, flags: {guest!r}
            UUIDString = lambda self: "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
        web1, asked = Guest(), []
        def domains(connection, flags):
            asked.append(connection)
            {domains}
        libvirt.virConnect.listAllDomains = domains
        options = {{name: spec.get("default") for name, spec in {{**DEFINITION_SPEC, **HOST_SPEC}}.items()}}
        print(json.dumps(bring_to_state({{**options, **{NETWORK!r}}}, False, print)["actions"]))
    """
    actions: list[str] = json.loads(host.run(*PYTHON, "-c", program).stdout)
    return actions


def test_the_lease_of_a_guest_that_started_after_the_ledger_was_read_is_not_forgotten(host: Host, warm: Warm):
    (lease,) = start(host, warm, "web1")
    port = host.virsh(f"net-port-dumpxml n {lease['port']}")
    host.port_delete("n", lease)
    starts = f"len(asked) > 1 or connection.networkLookupByName('n').portCreateXML({port!r}, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM); return [web1]"
    assert run_while(host, warm.guests[0], starts) == []
    assert host.ports("n") == [lease]


@pytest.mark.parametrize("network", ["runs", "is stopped", "is rebuilt"])
def test_a_guest_that_stops_before_its_forgotten_lease_is_back_leaves_none(host: Host, warm: Warm, network: str):
    start(host, warm, "web1")
    if network == "is rebuilt":
        warm.module("passthrough_network", name="n", interfaces=["enp1s0v1"], on_in_use="force")
    else:
        host.virsh("net-destroy n")
    if network == "runs":
        host.virsh("net-start n")
    actions = run_while(host, warm.guests[0], "return [web1] if len(asked) == 1 else []")
    assert "keeping 1 leases" in actions[-1] if network == "is rebuilt" else "web1 holds enp1s0v0" in actions[-1]
    assert host.ports("n") == []
