# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`passthrough_network` on a pool of 256 members: a run that finds nothing to do, and a rebuild that keeps 64 leases."""

from __future__ import annotations

import json

from ansible_collections.vfpool.sriov.tests.bench.host import NEW_SSH, bench_host, run_of
from ansible_collections.vfpool.sriov.tests.bench.table import Row, interleaved, table
from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON, Warm

__all__ = ["report"]

ROUNDS = 7
MEMBERS, LEASES = 256, 64


def report() -> tuple[str, bool]:
    """The table, and whether every figure keeps its limit."""
    with bench_host() as host:
        rows = _measure(host)
    return table(f"passthrough_network, {MEMBERS} members", rows), not any(row.failed for row in rows)


def _measure(host: Host) -> list[Row]:
    host.tree.clear().pf("enp1s0", "0000:01:00.0", vfs=MEMBERS, stride=1)
    host.start_libvirtd()
    network = "vfpool.sriov.passthrough_network"
    same = json.dumps({"name": "bare", "pf": "enp1s0"})
    host.module("passthrough_network", name="bare", pf="enp1s0")
    modules = {"ping": ["ansible.builtin.ping"], "same": [network, "-a", same]}
    times = interleaved({name: run_of(host, module) for name, module in modules.items()}, ROUNDS)
    far = interleaved({name: run_of(host, module, NEW_SSH) for name, module in modules.items()}, ROUNDS)
    warm = Warm(host)
    calls = [_calls(host, warm, "bare")]
    warm.module("passthrough_network", name="leased", pf="enp1s0", overlap="warn")
    for number in range(LEASES):
        warm.lease("leased", f"guest{number}", f"52:54:00:00:00:{number:02x}")
    calls.append(_calls(host, warm, "leased"))
    rebuild = json.loads(host.run(*PYTHON, str(CHECKOUT / "tests/bench/rebuild.py")).stdout)
    ping, ran = times["ping"], times["same"]
    return [
        Row(f"a run that changes nothing, against ansible -m ping ({far['ping'].elapsed:.2f} s)", far["same"].elapsed / far["ping"].elapsed, "x", 1.25),
        Row(f"without ssh, on the controller itself ({ping.elapsed:.2f} s)", ran.elapsed / ping.elapsed, "x"),
        Row("the same in processor time", ran.worked / ping.worked, "x"),
        Row(f"a rebuild that keeps {LEASES} leases, against libvirt's own stop and start", rebuild["ours"] / rebuild["libvirt's"], "x", 3),
        Row("the same in milliseconds", 1000 * rebuild["ours"], "ms"),
        Row("calls to libvirt of a run that changes nothing, one network on the host", calls[0], "calls"),
        Row(f"more of them for a second network and {LEASES} leases", calls[1] - calls[0], "calls", LEASES + 12),
    ]


def _calls(host: Host, warm: Warm, name: str) -> int:
    """How many calls to libvirt a run that changes nothing takes: a number for each network, one for each lease, and two for each guest that runs."""
    with Cut(host) as counter:
        assert not warm.module("passthrough_network", name=name, pf="enp1s0", overlap="warn", uri=URI)["changed"]
    return counter.calls
