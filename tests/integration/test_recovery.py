# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a rebuild, and beside it: no lease is lost, and nothing is said that is not so."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, ROUTER, Host, network
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON, Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

NETWORK = {"name": "n", "pf": "enp1s0"}
GUEST = "e4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
JOURNAL = "run/vfpool.sriov/network-n.rebuild"
START_FAILS_WHILE_ARMED = """#!/bin/sh
if [ "$2" = start ] && [ -e /run/armed ]; then exit 1; fi
exit 0
"""
START_FAILS_ONCE = """#!/bin/sh
if [ "$2" = start ] && rm /run/armed 2>/dev/null; then exit 1; fi
exit 0
"""


@pytest.fixture
def warm(host: Host, card: PF) -> Warm:
    warm = Warm(host)
    warm.module("passthrough_network", **NETWORK)
    return warm


def holds(host: Host) -> list[tuple[str | None, str | None]]:
    return [(lease["owner"], lease["member"]) for lease in host.ports("n")]


def hook(host: Host, script: str) -> Path:
    """A script that libvirt asks whether a network may start."""
    path = host.root / "etc/libvirt/hooks/network"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    host.restart_libvirtd()
    return path


def write_record(host: Host, *, stopped: bool = True, done: bool = False) -> None:
    """As a rebuild does before it stops the network, and after it has put all leases back where it is ``done``."""
    leases = [host.virsh(f"net-port-dumpxml n {lease['port']}") for lease in host.ports("n")]
    record = {"uuid": host.xml("n").findtext("uuid"), "xml": host.virsh("net-dumpxml n"), "leases": leases, "before": leases}
    entered = "".join(f"{lease['port']}\n" for lease in host.ports("n")) if done else ""
    (host.root / JOURNAL).write_text(json.dumps(record) + "\n" + ("stopped\n" if stopped else "") + entered)


@pytest.mark.parametrize("change", [{"vfs": "1-3", "on_in_use": "force"}, {"vlan": 7}])
def test_a_rebuild_that_fails_leaves_every_lease_and_what_was_live(host: Host, warm: Warm, change: dict):
    for owner in (FIREWALL, ROUTER):
        warm.module("passthrough_port", **owner)
    fails_once = hook(host, START_FAILS_ONCE)
    before = host.ports("n"), host.virsh("net-dumpxml n --inactive")
    (host.root / "run/armed").write_text("")
    said = warm.refusal("passthrough_network", **NETWORK, **change)
    fails_once.unlink()
    assert "Undone: rebuild the live network n" in said and "Could not be undone" not in said
    assert (host.ports("n"), host.virsh("net-dumpxml n --inactive")) == before
    assert host.members("n") == [f"enp1s0v{index}" for index in range(4)] and host.xml("n").find("vlan") is None
    assert not warm.module("passthrough_network", **NETWORK)["changed"]
    assert not (host.root / JOURNAL).exists()


def test_a_full_run_keeps_a_rebuild_from_beginning_and_nothing_else(host: Host, warm: Warm):
    warm.module("passthrough_port", **FIREWALL)
    before = host.ports("n")
    host.run("mount", "-t", "tmpfs", "-o", "size=4k", "full", "/run/vfpool.sriov")
    host.run("sh", "-c", "head -c 4096 /dev/zero >/run/vfpool.sriov/full")
    try:
        assert not warm.module("passthrough_network", **NETWORK)["changed"]
        said = warm.refusal("passthrough_network", **NETWORK, vlan=7)
        assert f"The record /{JOURNAL}, without which no lease is risked, cannot be written (No space left on device): make room" in said
        assert host.ports("n") == before and host.xml("n").find("vlan") is None
    finally:
        host.run("umount", "/run/vfpool.sriov")


def test_one_vf_with_two_leases_is_found_before_anything_is_stopped(host: Host, warm: Warm):
    for index in (1, 2):
        host.port_create("n", f"web{index}", mac=f"52:54:00:00:00:0{index}")
    host.sighup()
    double = host.port_create("n", "web3", mac="52:54:00:00:00:03")
    before = host.ports("n")
    for force in ({}, {"on_in_use": "force"}):
        said = warm.refusal("passthrough_network", **NETWORK, vlan=7, **force)
        assert "The network n has leased one VF twice (web1 holds enp1s0v0 by the lease" in said and str(double["port"]) in said
        assert host.ports("n") == before
    host.port_delete("n", double)
    warm.module("passthrough_network", **NETWORK, vlan=7)
    assert holds(host) == [("web1", "enp1s0v0"), ("web2", "enp1s0v1")]


def test_one_vf_with_two_leases_of_which_one_came_after_the_plan_is_found_as_well(host: Host, warm: Warm):
    program = """if True:
        import libvirt
        from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild
        rebuild(libvirt.open("qemu:///system").networkLookupByName("n"), Journal("n"), [], lambda lease: lease, False, [], lambda *_: None)
    """
    host.port_create("n", "web1")
    host.sighup()
    host.port_create("n", "web2", mac="52:54:00:00:00:02")
    before = host.ports("n")
    assert "The network n has leased one VF twice" in host.run(*PYTHON, "-c", program, check=False).stderr
    assert host.ports("n") == before


def test_a_network_that_a_guest_takes_a_vf_of_while_it_is_being_removed_keeps_running(host: Host, warm: Warm):
    """But for one that comes between the last look at the leases and the stop itself."""
    taken: list[object] = []
    lost = 0

    def come(_pid: int) -> None:
        with contextlib.suppress(AssertionError):  # the network may have stopped
            taken.append(host.port_create("n", "web1"))

    for number in range(100):
        warm.forget()
        warm.module("passthrough_network", **NETWORK)
        taken.clear()
        with Cut(host, number, fall=come, goes_on=True) as cut:
            result = warm.attempt("passthrough_network", name="n", state="absent", uri=URI)
        assert "Undone" not in str(result), "it was never stopped"
        lost += len(taken) - len(warm.ledger("n")["leases"])
        if not cut.fallen:
            break
    assert lost == 1


@pytest.mark.parametrize("point", [{"stopped": False}, {}, {"done": True}], ids=["before its stop", "after it", "before the record went"])
@pytest.mark.parametrize("again", ["by us", "by hand"])
def test_a_network_made_anew_gets_the_leases_of_an_interrupted_rebuild(host: Host, warm: Warm, again: str, point: dict):
    """Whatever the former network knew of them, the new one does not."""
    warm.module("passthrough_port", **FIREWALL)
    before = host.ports("n")
    write_record(host, **point)
    host.virsh("net-destroy n")
    host.virsh("net-undefine n")
    assert not warm.module("passthrough_network", name="n", state="absent")["changed"]
    if again == "by hand":
        host.define(network(name="n"))
    foretold = warm.module("passthrough_network", **NETWORK, _ansible_check_mode=True)["actions"]
    assert warm.module("passthrough_network", **NETWORK)["actions"] == foretold
    assert host.ports("n") == before
    assert not (host.root / JOURNAL).exists()
    assert warm.module("passthrough_port", **ROUTER)["port"]["plug"]["interface"] == "enp1s0v1"


@pytest.mark.parametrize("started", [False, True])
def test_a_recorded_lease_whose_vf_is_gone_is_given_up_by_force_alone(host: Host, warm: Warm, card: PF, started: bool):
    for owner in (FIREWALL, ROUTER):
        warm.module("passthrough_port", **owner)
    write_record(host)
    host.virsh("net-destroy n")
    card.remove_vf(1)
    if started:
        host.virsh("net-start n")
    said = warm.refusal("passthrough_network", **NETWORK)
    assert "router holds enp1s0v1" in said and "on_in_use: force" in said and "codec" not in said
    assert (f"recorded in /{JOURNAL};" in said) == started
    done = warm.module("passthrough_network", **NETWORK, on_in_use="force")
    assert "router holds enp1s0v1" in str(done["actions"])
    assert holds(host) == [("firewall", "enp1s0v0")]
    assert not warm.module("passthrough_network", **NETWORK)["changed"]


def test_check_mode_foretells_a_recovery_with_the_former_members(host: Host, warm: Warm, card: PF):
    warm.module("passthrough_port", **ROUTER, plug={"interface": "enp1s0v3"})
    write_record(host)
    host.virsh("net-destroy n")
    card.remove_vf(3)
    foretold = warm.refusal("passthrough_network", **NETWORK, _ansible_check_mode=True)
    assert "its new pool lacks what guests hold (router holds enp1s0v3)" in foretold
    assert warm.refusal("passthrough_network", **NETWORK) == foretold


def test_a_recovery_with_the_former_members_never_makes_them_the_definition(host: Host, warm: Warm, card: PF):
    warm.module("passthrough_port", **FIREWALL)
    before, defined = host.ports("n"), host.virsh("net-dumpxml n --inactive")
    write_record(host)
    record = (host.root / JOURNAL).read_text()
    card.resize(0)  # so it cannot start by its definition
    for number in range(100):
        host.virsh("net-destroy n")
        (host.root / JOURNAL).write_text(record)
        with Cut(host, number, answered=True) as cut:
            warm.attempt("passthrough_port", **FIREWALL, uri=URI)
        assert host.virsh("net-dumpxml n --inactive") == defined
        warm.module("passthrough_port", **FIREWALL)
        assert host.ports("n") == before
        if not cut.fallen:
            break
    card.resize(4)
    assert "<pf dev='enp1s0'/>" in warm.module("passthrough_network", **NETWORK)["network"]["xml_inactive"]
    assert host.ports("n") == before


def test_a_recovery_that_cannot_start_the_network_leaves_it_defined_and_starting_by_itself(host: Host, warm: Warm, card: PF):
    warm.module("passthrough_port", **FIREWALL)
    before, defined = host.ports("n"), host.virsh("net-dumpxml n --inactive")
    write_record(host)
    host.virsh("net-destroy n")
    card.resize(0)
    fails = hook(host, "#!/bin/sh\ntest $2 != start\n")
    assert "libvirt does not finish the rebuild of the network n" in warm.refusal("passthrough_port", **FIREWALL)
    assert host.virsh("net-dumpxml n --inactive") == defined
    assert host.virsh("net-list --all").split() == ["n", "inactive", "yes", "yes"]
    fails.unlink()
    card.resize(4)
    warm.module("passthrough_network", **NETWORK)
    assert host.ports("n") == before
    assert host.virsh("net-list --all").split() == ["n", "active", "yes", "yes"]


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
def test_a_recovery_that_is_killed_while_no_start_succeeds_loses_neither_leases_nor_definition(host: Host, warm: Warm, card: PF, answered: bool):
    """Where the former members do not start either, libvirt forgets the network, and has its file only."""
    fails = hook(host, START_FAILS_WHILE_ARMED)
    for owner in (FIREWALL, ROUTER):
        warm.module("passthrough_port", **owner)
    before, defined, autostart, without = host.ports("n"), host.virsh("net-dumpxml n --inactive"), host.virsh("net-list --all"), 0
    for number in range(100):
        write_record(host)
        host.virsh("net-destroy n")
        card.resize(0)
        (host.root / "run/armed").write_text("")
        with Cut(host, number, answered) as cut:
            warm.attempt("passthrough_port", **FIREWALL, uri=URI)
        without += "n" not in host.virsh("net-list --all --name").split()
        (host.root / "run/armed").unlink()
        card.resize(4)
        warm.module("passthrough_network", **NETWORK)
        assert (host.ports("n"), host.virsh("net-list --all")) == (before, autostart)
        assert without or host.virsh("net-dumpxml n --inactive") == defined
        host.restart_libvirtd()
        assert host.virsh("net-list --all") == autostart
        assert not warm.module("passthrough_network", **NETWORK)["changed"] and not (host.root / JOURNAL).exists()
        if not cut.fallen:
            break
    assert without == 1
    fails.unlink()


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("autostart", [False, True])
def test_what_waits_for_its_recovery_is_not_given_to_a_consumer_of_another_network(host: Host, warm: Warm, autostart: bool, gone: bool):
    warm.module("passthrough_network", **NETWORK, autostart=autostart)
    warm.module("passthrough_port", **FIREWALL)
    warm.module("passthrough_network", name="m", pf="enp1s0", overlap="warn")
    write_record(host)
    host.virsh("net-destroy n")
    if gone:
        host.virsh("net-undefine n")
    assert warm.module("passthrough_port", **{**ROUTER, "network": "m"})["port"]["plug"]["interface"] == "enp1s0v1"
    warm.module("passthrough_network", **NETWORK, overlap="warn")
    assert holds(host) == [("firewall", "enp1s0v0")]


@pytest.mark.parametrize("gone", [False, True])
def test_no_network_hands_out_what_an_interrupted_rebuild_is_to_put_back(host: Host, warm: Warm, gone: bool):
    warm.module("passthrough_network", **NETWORK, autostart=False)
    warm.module("passthrough_port", **FIREWALL)
    write_record(host)
    host.virsh("net-destroy n")
    if gone:
        host.virsh("net-undefine n")
    other = {"name": "m", "mode": "hostdev", "addresses": ["0000:01:10.0"]}
    told = "n hands out 0000:01:10.0, for its rebuild was interrupted and is to be finished"
    assert told in warm.refusal("passthrough_network", **other, _ansible_check_mode=True)
    assert told in warm.refusal("passthrough_network", **other)
    assert told in str(warm.module("passthrough_network", **other, overlap="warn")["warnings"])
    assert "has no free member, for firewall holds 0000:01:10.0" in warm.refusal("passthrough_port", **{**ROUTER, "network": "m"})
    warm.module("passthrough_network", name="m", state="absent")
    record = (host.root / JOURNAL).read_text()
    if gone:
        assert "n went away in the middle of a rebuild, and its leases are on record alone" in warm.refusal("passthrough_port", **FIREWALL, state="absent")
        given_up = {"name": "n", "state": "absent", "on_in_use": "force"}
        assert warm.module("passthrough_network", **given_up, _ansible_check_mode=True)["changed"]
        assert warm.module("passthrough_network", **given_up)["actions"] == ["give up what an interrupted rebuild of the network n was to put back"]
        assert not warm.module("passthrough_network", **given_up)["changed"]
        warm.module("passthrough_network", **other)
        warm.module("passthrough_network", name="m", state="absent")
        (host.root / JOURNAL).write_text(record)
    warm.module("passthrough_network", **NETWORK)
    assert holds(host) == [("firewall", "enp1s0v0")]
    assert "n hands out 0000:01:10.0. Leave" in warm.refusal("passthrough_network", **other)


def test_the_record_of_a_network_of_another_daemon_holds_nothing_here(host: Host, warm: Warm):
    warm.module("passthrough_port", **FIREWALL)
    write_record(host)
    host.virsh("net-destroy n")
    host.virsh("net-undefine n")
    (host.root / JOURNAL).rename(host.root / "run/vfpool.sriov/network-n%20at%20session.rebuild")
    assert warm.module("passthrough_network", **{**NETWORK, "name": "m"})["changed"]


def test_a_record_from_before_the_stop_takes_nothing_from_a_guest_that_was_started_again(host: Host, warm: Warm):
    lease = host.port_create("n", "web1", owner_uuid=GUEST)
    write_record(host, stopped=False)
    host.port_delete("n", lease)
    again = host.port_create("n", "web1", owner_uuid=GUEST)
    assert not warm.module("passthrough_network", **NETWORK)["changed"]
    assert host.ports("n") == [again] and not (host.root / JOURNAL).exists()


def test_a_guest_that_was_started_again_after_the_stop_has_one_lease(host: Host, warm: Warm):
    lease = host.port_create("n", "web1", owner_uuid=GUEST)
    write_record(host)
    host.port_delete("n", lease)
    again = host.port_create("n", "web1", owner_uuid=GUEST)
    assert not warm.module("passthrough_network", **NETWORK)["changed"]
    assert host.ports("n") == [again] and not (host.root / JOURNAL).exists()


def test_a_guest_that_stops_while_the_ledger_is_empty_leaves_no_lease_behind(host: Host, warm: Warm):
    program = f"""if True:
        import libvirt
        from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild
        network = libvirt.open("qemu:///system").networkLookupByName("n")
        class Guest:
            UUIDString = lambda self: "{GUEST}"
        running = [Guest()]
        libvirt.virConnect.listAllDomains = lambda connection, flags: list(running)
        create = network.create
        network.create = lambda: (running.clear(), create())
        rebuild(network, Journal("n"), [], lambda lease: lease, False, [], lambda *_: None)
    """
    host.port_create("n", "web1", owner_uuid=GUEST)
    other = host.port_create("n", "web2", mac="52:54:00:00:00:02")
    host.run(*PYTHON, "-c", program)
    assert host.ports("n") == [other]
    assert host.port_create("n", "web3", mac="52:54:00:00:00:03")["member"] == "enp1s0v0"


@pytest.mark.parametrize("event", ["starts", "stops"])
def test_a_guest_that_starts_or_stops_while_a_rebuild_is_proved_hinders_it_not(host: Host, warm: Warm, event: str):
    program = f"""if True:
        import libvirt
        from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild
        network = libvirt.open("qemu:///system").networkLookupByName("n")
        port, = network.listAllPorts(0)
        class Guest:
            UUIDString = lambda self: "{GUEST}"
        def late(flags):
            del network.XMLDesc
            network.portCreateXML(port.XMLDesc(0).replace(port.UUIDString(), "{GUEST}").replace("enp1s0v0", "enp1s0v1"), 1)  # reclaimed
            return network.XMLDesc(flags)
        running = [[], [Guest()], [Guest()]]
        def domains(connection, flags):
            if len(running) == 2:  # the leases are back
                if "{event}" == "stops":
                    port.delete()
                else:
                    network.XMLDesc = late
            return running.pop() if running else []
        libvirt.virConnect.listAllDomains = domains
        rebuild(network, Journal("n"), [], lambda lease: lease, False, [], lambda *_: None)
    """
    host.port_create("n", "web1", owner_uuid=GUEST)
    host.run(*PYTHON, "-c", program)
    assert [lease["member"] for lease in host.ports("n")] == (["enp1s0v0", "enp1s0v1"] if event == "starts" else [])


def test_a_run_that_is_told_to_end_puts_the_leases_back_first(host: Host, warm: Warm):
    for owner in (FIREWALL, ROUTER):
        warm.module("passthrough_port", **owner)
    leases, ended_after_it = host.ports("n"), 0
    for at in range(200):
        with Cut(host, at, fall=lambda pid: os.kill(pid, signal.SIGTERM), goes_on=True) as cut:
            result = warm.attempt("passthrough_network", **NETWORK, vlan=7, uri=URI)
        assert host.ports("n") == leases
        if not cut.fallen:
            break
        assert result is None
        ended_after_it += host.xml("n").find("vlan") is not None
        warm.module("passthrough_network", **NETWORK)
    assert ended_after_it > 4
