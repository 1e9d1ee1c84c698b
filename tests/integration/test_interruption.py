# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens between any two calls of a run to libvirt.

A run that ends there is finished by the next one, leases included, and a guest that starts or stops there is no sign of anything wrong.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

CHANGE = {"name": "n", "pf": "enp1s0", "vlan": 7, "uri": URI}
JOURNAL = "run/vfpool.sriov/network-n.rebuild"
GUEST = "e4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"


@pytest.fixture
def card(host: Host) -> PF:
    return host.tree.pf("enp1s0", "0000:01:00.0", vfs=5)


@pytest.fixture
def warm(host: Host, card: PF) -> Warm:
    return Warm(host)


def provide(warm: Warm, mode: str) -> dict:
    """A network with three leases that are not its first members; the ledger as it has to be from now on."""
    warm.forget()
    warm.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    leases = [warm.lease("n", f"web{index}", f"52:54:00:00:00:0{index}")["port"] for index in range(4)]
    warm.release("n", leases[1])
    return warm.ledger("n")


def check(host: Host, warm: Warm, before: dict, options: dict) -> None:
    """The next run finishes what was begun, the one after it has nothing to do."""
    last = warm.module("passthrough_network", **options)
    assert warm.ledger("n") == before, last["actions"]
    assert not warm.module("passthrough_network", **options)["changed"]
    assert not (host.root / JOURNAL).exists()
    assert warm.lease("n", "late", "52:54:00:00:00:99")["member"] not in [lease["member"] for lease in before["leases"].values()]


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_a_run_that_is_killed_at_any_call_is_finished_by_the_next(host: Host, warm: Warm, mode: str, answered: bool):
    options = {**CHANGE, "mode": mode}
    number, unfinished = 0, 0
    while True:
        before = provide(warm, mode)
        with Cut(host, number, answered) as cut:
            result = warm.attempt("passthrough_network", **options)
            assert (result is None) == cut.fallen
            unfinished += (host.root / JOURNAL).exists()
            check(host, warm, before, {**options, "uri": "qemu:///system"})
        if not cut.fallen:
            break
        number += 1
    assert unfinished >= 5, "stop, start and three leases were each cut short at least once"


def half_done(host: Host, warm: Warm) -> str:
    """A consumer's lease in a network whose rebuild was killed while libvirt did not know it."""
    number = 8
    while True:
        warm.forget()
        warm.module("passthrough_network", name="n", pf="enp1s0")
        lease = warm.module("passthrough_port", **FIREWALL)["port"]["uuid"]
        host.sighup()  # libvirt loses count, so a rebuild is due
        with Cut(host, number):
            warm.attempt("passthrough_network", name="n", pf="enp1s0", uri=URI)
        if (host.root / JOURNAL).exists() and "n" not in host.virsh("net-list --name"):
            return str(lease)
        number += 1


def test_a_killed_run_is_finished_although_a_consumer_has_taken_its_vf_away_meanwhile(host: Host, warm: Warm, card: PF):
    """The network does not run then, and it alone can tell whose the VF is that has no interface here any more."""
    lease = half_done(host, warm)
    card.vf(0).elsewhere()
    foretold = warm.module("passthrough_network", name="n", pf="enp1s0", _ansible_check_mode=True)
    finished = warm.module("passthrough_network", name="n", pf="enp1s0")
    assert finished["actions"] == foretold["actions"] != []
    assert [(member["index"], member["lease"]["port"]) for member in finished["network"]["pool"]["members"] if member["lease"]] == [(0, lease)]
    assert not warm.module("passthrough_network", name="n", pf="enp1s0")["changed"]


def test_a_run_that_fails_after_it_has_finished_another_tells_what_it_did(host: Host, warm: Warm):
    half_done(host, warm)
    foretold = warm.attempt("passthrough_network", name="n", state="absent", _ansible_check_mode=True)
    failed = warm.attempt("passthrough_network", name="n", state="absent")
    assert foretold and failed and foretold["msg"] == failed["msg"]
    assert "firewall holds enp1s0v0" in failed["msg"]
    assert failed["changed"] and len(failed["actions"]) == 1
    assert "actions" not in foretold
    assert [lease["owner"] for lease in host.ports("n")] == ["firewall"]


def test_leases_go_back_in_the_order_of_the_pool(host: Host, warm: Warm):
    """So that a newcomer is given the first member that is free, and not one that waits for its guest."""
    there: list[str] = []
    for number in range(100):
        warm.forget()
        warm.module("passthrough_network", name="n", pf="enp1s0")
        for index in (3, 2, 1):
            warm.lease("n", f"web{index}", f"52:54:00:00:00:0{index}")
        with Cut(host, number):
            warm.attempt("passthrough_network", **CHANGE)
        there = [lease["member"] for lease in warm.ledger("n")["leases"].values()]
        if len(there) == 1:
            break
    assert there == ["enp1s0v0"]


def test_check_mode_tells_of_an_interrupted_rebuild_and_leaves_it(host: Host, warm: Warm):
    before = provide(warm, "passthrough")
    number = 0
    while warm.ledger("n") == before:
        with Cut(host, number) as cut:
            warm.attempt("passthrough_network", **CHANGE)
        assert cut.fallen
        number += 1
        if warm.ledger("n") == before:
            before = provide(warm, "passthrough")
    cut_short = warm.ledger("n")
    options = {**CHANGE, "uri": "qemu:///system"}
    foretold = host.module("passthrough_network", check=True, **options)
    assert foretold["actions"][0].startswith("finish the interrupted rebuild of the network n, and put back its leases (web0 holds enp1s0v0")
    assert warm.ledger("n") == cut_short
    (told,) = warm.module("passthrough_network_info")["networks"]
    held = {lease["member"]: lease["owner"] for lease in before["leases"].values()}
    assert {lease["plug"]["interface"]: lease["owner_name"] for lease in told["pool"]["leases"]} == held
    assert told["pool"]["stale"][-1] == f"a run of passthrough_network is to {foretold['actions'][0]}"
    assert host.module("passthrough_network", **options)["actions"] == foretold["actions"]
    assert warm.ledger("n") == before


def test_a_daemon_that_dies_at_any_call_loses_no_lease(host: Host, warm: Warm):
    number = 0
    while True:
        before = provide(warm, "passthrough")
        with Cut(host, number, fall=lambda _pid: host.kill_libvirtd()) as cut:
            result = warm.attempt("passthrough_network", **CHANGE)
        if not cut.fallen:
            break
        assert result is not None  # told in words, unless nothing but the goodbye was left
        host.start_libvirtd()
        check(host, warm, before, {**CHANGE, "uri": "qemu:///system"})
        number += 1
    assert number > 10


def test_a_lease_that_was_given_back_after_the_interruption_does_not_come_back(host: Host, warm: Warm):
    """The guest stopped after its lease was in the ledger again: the record says so."""
    for number in range(100):
        before = provide(warm, "passthrough")
        with Cut(host, number):
            warm.attempt("passthrough_network", **CHANGE)
        there = warm.ledger("n")["leases"]
        if (host.root / JOURNAL).exists() and 0 < len(there) < 3:
            break
    gone = next(iter(there))
    warm.release("n", gone)
    warm.module("passthrough_network", **{**CHANGE, "uri": "qemu:///system"})
    assert warm.ledger("n")["leases"] == {port: lease for port, lease in before["leases"].items() if port != gone}


@pytest.mark.parametrize("module", ["passthrough_port", "absent"])
def test_whatever_runs_next_finishes_the_rebuild_first(host: Host, warm: Warm, module: str):
    for number in range(100):
        before = provide(warm, "passthrough")
        with Cut(host, number):
            warm.attempt("passthrough_network", **CHANGE)
        if warm.ledger("n")["leases"] == {} and (host.root / JOURNAL).exists():
            break
    if module == "absent":
        assert "web0 holds enp1s0v0" in str(warm.attempt("passthrough_network", name="n", state="absent"))
    else:
        late = {"network": "n", "owner_name": "late", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
        confirmed = warm.module("passthrough_port", **late, plug={"interface": "enp1s0v1"}, _ansible_check_mode=True)
        assert confirmed["actions"][1:] == ["confirm enp1s0v1 of the network n"]
        port = warm.module("passthrough_port", **late)["port"]
        assert port["plug"]["interface"] == "enp1s0v1"
        warm.release("n", port["uuid"])
    assert warm.ledger("n") == before


@pytest.mark.parametrize("there", [True, False])
def test_a_record_is_kept_as_long_as_another_network_has_its_uuid(host: Host, warm: Warm, there: bool):
    provide(warm, "passthrough")
    host.define("<network><name>m</name><forward mode='passthrough'><interface dev='enp9s0v0'/></forward></network>")
    uuid = host.xml("m").findtext("uuid") if there else "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
    record: dict = {"uuid": uuid, "xml": host.virsh("net-dumpxml n"), "leases": []}
    (host.root / JOURNAL).write_text(json.dumps(record) + "\n")
    warm.module("passthrough_network", name="n", pf="enp1s0")
    assert (host.root / JOURNAL).exists() == there


def guest(host: Host, event: str) -> Callable[[int], None]:
    """A guest that starts, or stops, when it is called; it does not start where the network does not run."""
    stopping = host.port_create("n", "late", mac="52:54:00:00:00:99") if event == "stops" else None

    def come_or_go(_pid: int) -> None:
        with contextlib.suppress(AssertionError):
            host.port_create("n", "late", mac="52:54:00:00:00:99") if stopping is None else host.port_delete("n", stopping)

    return come_or_go


@pytest.mark.parametrize("event", ["starts", "stops"])
@pytest.mark.parametrize("module", [("passthrough_network", {"name": "n", "pf": "enp1s0"}), ("passthrough_network_info", {})], ids=lambda module: module[0])
def test_a_guest_that_starts_or_stops_at_any_call_is_no_miscount(host: Host, warm: Warm, module: tuple[str, dict], event: str):
    name, options = module
    provide(warm, "passthrough")
    for number in range(100):
        with Cut(host, number, fall=guest(host, event), goes_on=True) as cut:
            result = warm.module(name, **options, uri=URI)
        assert not result["changed"]
        assert [network["pool"]["stale"] for network in result.get("networks", [])] in ([], [[]])
        for lease in host.ports("n"):
            if lease["owner"] == "late":
                host.port_delete("n", lease)
        if not cut.fallen:
            break


@pytest.mark.parametrize("persistent", [True, False])
def test_a_network_that_stops_or_goes_at_any_call_hides_no_other(host: Host, warm: Warm, persistent: bool):
    provide(warm, "passthrough")
    uuid = "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
    other = f"<network><name>other</name><uuid>{uuid}</uuid><forward mode='passthrough'><interface dev='enp9s0v0'/></forward></network>"
    told = []
    for number in range(100):
        host.virsh(f"net-{'define' if persistent else 'create'} /dev/stdin", stdin=other)
        if persistent:
            host.virsh("net-start other")
        with Cut(host, number, fall=lambda _pid: host.virsh("net-destroy other"), goes_on=True) as cut:
            networks = warm.module("passthrough_network_info", uri=URI)["networks"]
        told.append([network["active"] for network in networks if network["name"] == "other"])
        assert [len(network["pool"]["leases"]) for network in networks if network["name"] == "n"] == [3]
        if not cut.fallen:
            break
    assert told[-1] == [True] and told[0] == ([False] if persistent else [])


@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_a_lease_that_its_running_guest_gave_back_after_the_interruption_does_not_come_back(host: Host, warm: Warm, mode: str):
    """Its interface was detached while libvirt knew of no lease: what the guest still has tells."""
    warm.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    kept, gone = (host.port_create("n", "web1", mac=f"52:54:00:00:00:0{index}", owner_uuid=GUEST) for index in range(2))
    for number in range(100):
        with Cut(host, number):
            warm.attempt("passthrough_network", **{**CHANGE, "mode": mode})
        if warm.ledger("n")["leases"] == {} and (host.root / JOURNAL).exists():
            break
    plug = f"<source network='n' portid='{kept['port']}' dev='{kept['member']}' mode='passthrough'/>"
    if mode == "hostdev":
        plug = "<source><address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></source>"
    interface = f"<interface type='{'direct' if mode == 'passthrough' else mode}'><mac address='{kept['mac']}'/>{plug}</interface>"
    warm.guests.append(f"<domain><name>web1</name><uuid>{GUEST}</uuid><devices>{interface}</devices></domain>")
    options = {**CHANGE, "mode": mode, "uri": "qemu:///system"}
    foretold = warm.module("passthrough_network", **options, _ansible_check_mode=True)["actions"]
    assert warm.module("passthrough_network", **options)["actions"] == foretold
    assert host.ports("n") == [kept]
    assert gone["member"] == host.port_create("n", "web2", mac="52:54:00:00:00:09")["member"]


def _take_late(host: Host, taken: list[dict], _pid: int) -> None:
    with contextlib.suppress(AssertionError):  # while the network is stopped
        taken.append(host.port_create("n", "late", mac="52:54:00:00:00:99"))


def test_a_lease_that_is_taken_just_before_a_rebuild_is_kept_or_the_run_fails(host: Host, warm: Warm) -> None:
    """But for one that is taken as libvirt is about to stop the network: that call cannot be made to depend on what leases there are."""
    warm.module("passthrough_network", name="n", pf="enp1s0")
    warm.lease("n", "web1", "52:54:00:00:00:01")
    lost, kept, refused = [], [], []
    for at in range(16, 34):  # from before the leases are read to after the network is stopped
        taken: list[dict] = []
        with Cut(host, at, fall=partial(_take_late, host, taken), goes_on=True):
            done = warm.attempt("passthrough_network", **{**CHANGE, "vlan": 5 + at % 2})
        late = [port for port in host.ports("n") if port["owner"] == "late"]
        if not taken:
            refused.append(at)
        elif late:
            kept.append(at)
        elif done and not done.get("failed"):
            lost.append(at)
        for port in late:
            host.port_delete("n", port)
    assert kept and refused, "not every moment around the stop was tried"
    assert len(lost) <= 1
    assert [port["owner"] for port in host.ports("n")] == ["web1"]


def test_a_guest_that_takes_after_the_plan_what_the_pool_is_to_lose_stops_the_rebuild(host: Host, warm: Warm) -> None:
    options = {"name": "n", "pf": "enp1s0", "vfs": "1-4", "uri": URI}
    said = ""
    for at in range(34):
        warm.forget()
        warm.module("passthrough_network", name="n", pf="enp1s0")
        taken: list[dict] = []
        with Cut(host, at, fall=partial(_take_late, host, taken), goes_on=True):
            said = str((warm.attempt("passthrough_network", **options) or {}).get("msg"))
        if "Guests hold VFs that the network n is to lose (late holds enp1s0v0)" in said:
            break
    assert taken and host.ports("n") == taken, said
    assert "Undone: change the definition of the network n." in said
    assert host.members("n") == [f"enp1s0v{index}" for index in range(5)]
