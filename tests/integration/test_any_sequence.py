# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any sequence of our modules, of guests that start and stop, of VFs that vanish and return, of restarts and kills.

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
SEQUENCES = int(os.environ.get("VFPOOL_SEQUENCES", "100"))
VFS = 5
GUESTS = [f"web{index}" for index in range(4)]
# What libvirt does not start, with its UUID.
CONSUMERS = {"firewall": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "router": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
# What an operator may declare, one time this, one time that. What would take a VF from a guest is refused.
DECLARED = st.fixed_dictionaries(
    {},
    optional={
        "vfs": st.sampled_from(["0-4", "0-2", "1,3"]),
        "vlan": st.sampled_from([5, 6]),
        "refresh": st.sampled_from(["safe", "idle", "never"]),
        "autostart": st.booleans(),
        "active": st.booleans(),
    },
)


class Sequence(RuleBasedStateMachine):
    """The model knows which guest really holds which VF. A guest that is given a VF which another holds finds it busy and does not start."""

    host: Host
    warm: Warm
    pf: PF

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, dict[str, Any]] = {}  # guest to lease
        self.present = set(range(VFS))
        self.cut = False  # whether a run was cut short, and none has come to its end since
        self.reloaded = False  # whether libvirt has lost count, and no rebuild has put it right since

    @initialize(mode=st.sampled_from(["passthrough", "hostdev"]))
    def begin(self, mode: str) -> None:
        self.mode = mode
        self.warm.forget()
        (self.host.root / "run/vfpool.sriov/network-n.rebuild").unlink(missing_ok=True)
        self.pf.resize(0).resize(VFS)
        self.run({})

    def run(self, options: dict[str, Any]) -> bool:
        result = self.warm.attempt("passthrough_network", name="n", pf="enp1s0", mode=self.mode, **options)
        assert result is not None
        done = not result.get("failed")
        if done:
            self.cut = False
            self.reloaded = self.reloaded and options.get("refresh", "safe") != "safe"
        return done

    @property
    def doubt(self) -> bool:
        return self.cut or self.reloaded

    @rule(options=DECLARED)
    def declare(self, options: dict[str, Any]) -> None:
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
        vfs = [self.pf.vf(index) for index in self.present]
        other = {vf.name: vf.address for vf in vfs} | {vf.address: vf.name for vf in vfs}
        for lease in self.running.values():
            lease["member"] = other[lease["member"]]

    @rule(options=DECLARED, at=st.integers(0, 60), answered=st.booleans(), daemon=st.booleans())
    def declare_and_be_cut_short(self, options: dict[str, Any], at: int, answered: bool, daemon: bool) -> None:
        fall = (lambda _pid: self.host.kill_libvirtd()) if daemon else None
        with Cut(self.host, at, answered, fall) as cut:
            self.warm.attempt("passthrough_network", name="n", pf="enp1s0", mode=self.mode, uri=URI, **options)
        if cut.fallen and daemon:
            self.host.start_libvirtd()
        self.cut = self.cut or cut.fallen

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
        if lease["member"] in self.held():
            assert self.doubt, f"{guest} was given {lease['member']}, which another guest holds"
            self.warm.release("n", lease["port"])
        else:
            self.running[guest] = lease

    @rule(consumer=st.sampled_from(sorted(CONSUMERS)))
    def take_or_give_back(self, consumer: str) -> None:
        """Unlike a guest, it would not notice that another has its VF."""
        state = "absent" if consumer in self.running else "present"
        port = {"network": "n", "owner_name": consumer, "owner_uuid": CONSUMERS[consumer], "state": state}
        result = self.warm.attempt("passthrough_port", **port)
        assert result is not None
        if result.get("failed"):
            return
        if state == "absent":
            del self.running[consumer]
            return
        plug = result["port"]["plug"]
        lease = {"port": result["port"]["uuid"], "member": plug.get("interface") or plug["address"]}
        assert lease["member"] not in self.held(), f"{consumer} was given {lease['member']}, which another holds"
        self.running[consumer] = lease

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

    def held(self) -> set[str]:
        return {lease["member"] for lease in self.running.values()}

    def wrong_counts(self) -> dict[str, int]:
        ledger = self.warm.ledger("n")
        members = [lease["member"] for lease in ledger["leases"].values()]
        return {member: count for member, count in ledger["counts"].items() if count != members.count(member)}

    @invariant()
    def every_guest_has_the_lease_that_it_holds(self) -> None:
        if self.doubt:
            return
        ledger = self.warm.ledger("n")["leases"]
        assert {port: lease["member"] for port, lease in ledger.items()} == {lease["port"]: lease["member"] for lease in self.running.values()}
        assert not self.wrong_counts()

    def teardown(self) -> None:
        self.come_back()
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
