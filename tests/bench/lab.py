# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`sriov_vf_facts` on a laboratory host with a real kernel and a card of 127 VFs, against ping and against what people do without it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from ansible_collections.vfpool.sriov.tests.bench.table import Cost, Row, interleaved, table
from ansible_collections.vfpool.sriov.tests.integration.namespaces import CHECKOUT
from ansible_collections.vfpool.sriov.tests.lab.boot import Kind, boot
from ansible_collections.vfpool.sriov.tests.lab.machine import Machine

__all__ = ["report"]

VFS, ROUNDS = 127, 5
FACTS = "vfpool.sriov.sriov_vf_facts"
MAKE = f"echo {VFS} > /sys/bus/pci/devices/0000:03:00.0/sriov_numvfs && udevadm settle --timeout=600 && ip link set enp3s0 up"
# Cards, links, and libvirt's view of each VF.
TODAY = """
lspci -Dvmmn
ip -d -j link
for vf in /sys/bus/pci/devices/0000:03:00.0/virtfn*; do virsh nodedev-dumpxml pci_$(basename $(realpath $vf) | tr :. __); done
"""


def report() -> tuple[str, bool]:
    """The table, and whether every figure keeps its limit."""
    machine = Machine("bench")
    boot(machine, Kind(vfs=VFS))
    try:
        subprocess.run(machine.ssh(MAKE), check=True)
        rows = _measure(machine)
    finally:
        machine.stop()
    return table(f"sriov_vf_facts, laboratory host, {VFS} VFs", rows), not any(row.failed for row in rows)


def _measure(machine: Machine) -> list[Row]:
    modules = {"ping": ["ansible.builtin.ping"], "all": [FACTS], "min": [FACTS, "-a", "gather_subset=min"]}
    network = ["ansible.builtin.setup", "-a", "gather_subset=!all,!min,network gather_timeout=600"]
    times = interleaved({name: _run_of(machine, module) for name, module in modules.items()}, ROUNDS)
    times |= interleaved({"today": _run_of(machine, ["ansible.builtin.shell", "-a", TODAY]), "setup": _run_of(machine, network)}, 1)
    ping, everything = times["ping"].elapsed, times["all"].elapsed
    return [
        Row(f"ansible -m sriov_vf_facts, against ansible -m ping ({ping:.2f} s)", everything / ping, "x"),
        Row("with gather_subset=min", times["min"].elapsed / ping, "x"),
        Row(f"against lspci, ip and a virsh nodedev-dumpxml for each VF ({times['today'].elapsed:.1f} s)", everything / times["today"].elapsed, "x", 1),
        Row(f"against setup with gather_subset=network ({times['setup'].elapsed:.1f} s)", everything / times["setup"].elapsed, "x"),
    ]


def _run_of(machine: Machine, module: list[str]) -> Callable[[], Cost]:
    # The path by which this program finds the tests would hide the collection from Ansible.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"ANSIBLE_PIPELINING": "yes"}

    def run() -> Cost:
        start = time.perf_counter()
        command = ["ansible", machine.name, "--inventory", str(machine.inventory), "--module-name", *module]
        subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, check=True)
        elapsed = time.perf_counter() - start
        return Cost(elapsed, elapsed)

    return run
