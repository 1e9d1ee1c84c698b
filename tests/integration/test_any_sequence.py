# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any sequence of our modules, of guests and consumers that come and go, of VFs that vanish and return, of restarts and kills.

Whatever happens: no VF is held by two guests, no lease is lost, a final run converges, and the one after it changes nothing.
VFPOOL_SEQUENCES says how many sequences to try.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

# The whole suite runs these against each of two releases of libvirt.
SEQUENCES = int(os.environ.get("VFPOOL_SEQUENCES", "200"))
VFS = 5
GUESTS = [f"web{index}" for index in range(4)]
# What libvirt does not start, with its UUID.
CONSUMERS = {"firewall": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "router": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
# What another network may hand out; the one has nothing of the first part of the PF, the other nothing of its end.
OTHERS = [["enp1s0v0"], ["enp1s0v3", "enp1s0v4"]]
# What an operator may declare, one time this, one time that. What would take a VF from a guest is refused.
DECLARED = st.fixed_dictionaries(
    {},
    optional={
        "vfs": st.sampled_from(["0-4", "0-2", "1,3"]),
        "vlan": st.sampled_from([5, 6]),
        "refresh": st.sampled_from(["safe", "idle", "never"]),
        "autostart": st.booleans(),
        "active": st.booleans(),
        "overlap": st.just("warn"),
    },
)


class Sequence(RuleBasedStateMachine):
    """The model knows which guest really holds which VF. A guest that is given a VF which another holds finds it busy and does not start."""

    host: Host
    warm: Warm
    pf: PF

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, dict] = {}  # guest or consumer to lease
        self.others: dict[str, dict] = {}  # consumer to lease of the other network, of which there are no guests
        self.present = set(range(VFS))
        self.cut = False  # whether a run was cut short, and none has come to its end since
        self.reloaded = False  # whether libvirt has lost count, and no rebuild has put it right since
        self.warned = False  # whether the two networks may hand out the same VFs

    @initialize(mode=st.sampled_from(["passthrough", "hostdev"]), others=st.sampled_from([[], *OTHERS]))
    def begin(self, mode: str, others: list[str]) -> None:
        self.mode = mode
        self.warm.forget()
        (self.host.root / "run/vfpool.sriov/network-n.rebuild").unlink(missing_ok=True)
        self.pf.resize(0).resize(VFS)
        vfs = [self.pf.vf(index) for index in range(VFS)]
        self.other_name = {vf.name: vf.address for vf in vfs} | {vf.address: vf.name for vf in vfs}
        self.run({})
        if others:
            self.declare_the_other(others, "warn")

    def run(self, options: dict) -> bool:
        result = self.warm.attempt("passthrough_network", name="n", pf="enp1s0", mode=self.mode, **options)
        assert result is not None
        done = not result.get("failed")
        self.warned = self.warned or "overlap" in options
        if done:
            self.cut = False
            self.reloaded = self.reloaded and options.get("refresh", "safe") != "safe"
        return done

    @property
    def doubt(self) -> bool:
        return self.cut or self.reloaded

    @rule(options=DECLARED)
    def declare(self, options: dict) -> None:
        before = self.warm.ledger("n")["leases"]
        if not self.run(options) and not self.cut:
            assert self.warm.ledger("n")["leases"] == before

    @rule()
    def remove(self) -> None:
        result = self.warm.attempt("passthrough_network", name="n", state="absent")
        assert result is not None
        if not result.get("failed"):
            assert not self.running
            self.cut = self.reloaded = False

    @rule()
    def change_the_mode_by_force(self) -> None:
        """Guests go on holding what they hold, and libvirt's ledger has it by its other name."""
        before, self.mode = self.mode, "hostdev" if self.mode == "passthrough" else "passthrough"
        if not self.run({"on_in_use": "force"}):
            self.mode = before
            return
        for lease in self.running.values():
            lease["member"] = self.other_name[lease["member"]]

    @rule(options=DECLARED, at=st.integers(0, 60), answered=st.booleans(), daemon=st.booleans())
    def declare_and_be_cut_short(self, options: dict, at: int, answered: bool, daemon: bool) -> None:
        fall = (lambda _pid: self.host.kill_libvirtd()) if daemon else None
        with Cut(self.host, at, answered, fall) as cut:
            self.warm.attempt("passthrough_network", name="n", pf="enp1s0", mode=self.mode, uri=URI, **options)
        if cut.fallen and daemon:
            self.host.start_libvirtd()
        self.cut = self.cut or cut.fallen
        self.warned = self.warned or "overlap" in options

    @rule(guest=st.sampled_from(GUESTS))
    def start_or_stop(self, guest: str) -> None:
        if guest in self.running:
            # Of a guest that libvirt does not know, nobody could tell that it stopped before its lease was back.
            if not self.cut:
                self.warm.release("n", self.running.pop(guest)["port"])
            return
        lease = self.warm.take("n", guest, f"52:54:00:00:00:0{GUESTS.index(guest)}")
        if lease is None:
            return
        if lease["member"] not in self.there():
            self.warm.release("n", lease["port"])  # the live pool does not follow its card, and the guest finds no such device
        elif lease["member"] in self.held():
            assert self.doubt or self.others, f"{guest} was given {lease['member']}, which another holds"
            self.warm.release("n", lease["port"])
        else:
            self.running[guest] = lease

    @rule(consumer=st.sampled_from(sorted(CONSUMERS)), network=st.sampled_from(["n", "m"]))
    def take_or_give_back(self, consumer: str, network: str) -> None:
        """Unlike a guest, it would not notice that another has its VF."""
        holders = self.running if network == "n" else self.others
        state = "absent" if consumer in holders else "present"
        lease = self.port(network, consumer, state=state)
        if lease is not None and state == "absent":
            del holders[consumer]
        elif lease is not None:
            assert lease["member"] in self.there(), f"{consumer} was given {lease['member']}, which is not there"
            assert lease["member"] not in self.held(), f"{consumer} was given {lease['member']}, which another holds"
            holders[consumer] = lease

    @rule(consumer=st.sampled_from(sorted(CONSUMERS)), network=st.sampled_from(["n", "m"]), lost=st.booleans())
    def confirm(self, consumer: str, network: str, lost: bool) -> None:
        """As after a restart of the consumer, for which libvirt may have lost the lease."""
        holders = self.running if network == "n" else self.others
        held = holders.get(consumer)
        if held is None or self.doubt:
            return
        if lost:
            self.warm.release(network, held["port"])
        kind = "address" if ":" in held["member"] else "interface"
        lease = self.port(network, consumer, uuid=held["port"], mac=held["mac"], plug={kind: held["member"]})
        assert lost or lease is not None
        if lease is None:  # libvirt has counted the lease that was lost below 0, which shows only now
            del holders[consumer]
        else:
            assert lease == held

    def port(self, network: str, consumer: str, **options: Any) -> dict | None:
        """The lease that is there then, None where the module refuses; nothing of the lease where it is given back."""
        result = self.warm.attempt("passthrough_port", network=network, owner_name=consumer, owner_uuid=CONSUMERS[consumer], **options)
        assert result is not None
        if result.get("failed"):
            return None
        port = result["port"]
        return {} if port is None else {"port": port["uuid"], "mac": port["mac"], "member": port["plug"].get("interface") or port["plug"]["address"]}

    @rule(members=st.sampled_from(OTHERS), overlap=st.sampled_from(["fail", "warn"]))
    def declare_the_other(self, members: list[str], overlap: str) -> None:
        result = self.warm.attempt("passthrough_network", name="m", interfaces=members, overlap=overlap)
        assert result is not None
        self.warned = self.warned or overlap == "warn"

    @rule()
    def ask(self) -> None:
        """What the modules tell is what libvirt's ledger says, and no VF is in two pools unless an operator wanted that."""
        pools: list[set[str]] = []
        for network in self.warm.module("passthrough_network_info")["networks"]:
            leases = {port: lease["member"] for port, lease in self.warm.ledger(network["name"])["leases"].items()}
            pool = network["pool"]
            assert {lease["port"]: lease["plug"].get("interface") or lease["plug"]["address"] for lease in pool["leases"]} == leases
            members = {member.get("interface") or member["address"]: member["lease"] for member in pool["members"]}
            assert {lease["port"]: member for member, lease in members.items() if lease} == leases
            if network["active"]:
                pools.append({name for member in members for name in (member, self.other_name[member])})
        assert self.warned or sum(map(len, pools)) == len(set().union(*pools))

    @precondition(lambda self: len(self.present) > 1)
    @rule(index=st.integers(0, VFS - 1))
    def vanish(self, index: int) -> None:
        """Only a VF that nobody holds: what else would take it away is held back by sriov_pf."""
        vf = self.pf.vf(index) if index in self.present else None
        if vf is not None and not {vf.name, vf.address} & self.held():
            self.pf.remove_vf(index)
            self.present.discard(index)

    @rule()
    def come_back(self) -> None:
        for index in set(range(VFS)) - self.present:
            self.pf.add_vf(index)
        self.present = set(range(VFS))

    @rule(kill=st.booleans())
    def restart_the_daemon(self, kill: bool) -> None:
        if kill:
            self.host.kill_libvirtd()
            self.host.start_libvirtd()
        else:
            self.host.restart_libvirtd()

    @rule()
    def reload_the_daemon(self) -> None:
        self.host.sighup()
        self.reloaded = self.reloaded or bool(self.running)

    def there(self) -> set[str]:
        """What is on the card, under both names of it."""
        addresses = [self.pf.vf(index).address for index in self.present]
        return {name for address in addresses for name in (address, self.other_name[address])}

    def held(self) -> set[str]:
        """What is held, under both names of it."""
        members = [lease["member"] for lease in (*self.running.values(), *self.others.values())]
        return {name for member in members for name in (member, self.other_name[member])}

    def wrong_counts(self) -> dict[str, int]:
        ledger = self.warm.ledger("n")
        members = [lease["member"] for lease in ledger["leases"].values()]
        return {member: count for member, count in ledger["counts"].items() if count != members.count(member)}

    @invariant()
    def every_consumer_has_the_lease_that_it_holds_of_the_other_network(self) -> None:
        ledger = self.warm.ledger("m")["leases"]
        assert {port: lease["member"] for port, lease in ledger.items()} == {lease["port"]: lease["member"] for lease in self.others.values()}

    @invariant()
    def every_guest_has_the_lease_that_it_holds(self) -> None:
        if self.doubt:
            return
        ledger = self.warm.ledger("n")["leases"]
        assert {port: lease["member"] for port, lease in ledger.items()} == {lease["port"]: lease["member"] for lease in self.running.values()}
        assert not self.wrong_counts()

    def teardown(self) -> None:
        self.come_back()
        for consumer in self.others:
            assert self.port("m", consumer, state="absent") is not None
        self.warm.module("passthrough_network", name="m", state="absent")
        assert self.run({}), "the final run converges"
        self.every_guest_has_the_lease_that_it_holds()
        last = self.warm.module("passthrough_network", name="n", pf="enp1s0", mode=self.mode)
        assert last["actions"] == []
        assert len(last["network"]["pool"]["members"]) == VFS


def test_no_sequence_of_events_loses_a_lease_or_hands_one_out_twice(host: Host) -> None:
    Sequence.host, Sequence.warm = host, Warm(host)
    Sequence.pf = host.tree.pf("enp1s0", "0000:01:00.0", vfs=VFS)
    run_state_machine_as_test(
        Sequence, settings=settings(max_examples=SEQUENCES, stateful_step_count=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    )
