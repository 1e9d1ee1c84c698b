# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `sriov_pf` takes to set the attributes of 64 VFs, on a laboratory host with a real driver for an emulated card.

The card has 7 VFs, so each of them takes the part of nine or ten of the 64, one after the other.
"""

from __future__ import annotations

import json
import subprocess

from ansible_collections.vfpool.sriov.tests.bench.table import Row, table
from ansible_collections.vfpool.sriov.tests.integration.namespaces import CHECKOUT
from ansible_collections.vfpool.sriov.tests.lab.boot import Kind, boot
from ansible_collections.vfpool.sriov.tests.lab.machine import Machine

__all__ = ["report"]

VFS = 64

# Sets the same attributes of 64 VFs, other ones in each round, in turns by our batch ("ours") and by one ip for each VF ("ip"):
# elapsed and processor seconds, the best of each; and that a refusal in the midst of the batch names its VF.
ON_THE_HOST = """\
import json, resource, subprocess, sys, time
sys.path.insert(0, "/root")
from ansible_collections.vfpool.sriov.plugins.module_utils._command import in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._link import read_link, vf_configs
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import Setting, set_attributes, settings

VFS, CARD_HAS = int(sys.argv[1]), 7
PF = {"name": "enp1s0", "pci_address": "0000:01:00.0", "driver": "igb"}
with open("/sys/class/net/enp1s0/device/sriov_numvfs", "w") as numvfs:
    numvfs.write(str(CARD_HAS))
subprocess.run(["udevadm", "settle"], check=True)
# The driver logs every MAC address and VLAN, which on an emulated serial line takes longer than to set them.
with open("/proc/sys/kernel/printk", "w") as console:
    console.write("1")

def run(command, data=None):
    done = subprocess.run(command, input=data, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr

def wanted(round):
    return [
        {"mac": f"52:54:00:{round:02x}:00:{number:02x}", "vlan": 1 + (round + number) % 4000, "qos": (round + number) % 8,
         "spoofchk": bool((round + number) % 2), "trust": not (round + number) % 2}
        for number in range(VFS)
    ]

def ours(round):
    read_link("enp1s0", in_turn(run))
    set_attributes(PF, [s for number, values in enumerate(wanted(round)) for s in settings({}, {number % CARD_HAS: values})], run)

def ip(round):
    for number, values in enumerate(wanted(round)):
        on = {name: "on" if values[name] else "off" for name in ("spoofchk", "trust")}
        words = f"mac {values['mac']} vlan {values['vlan']} qos {values['qos']} spoofchk {on['spoofchk']} trust {on['trust']}"
        subprocess.run(["ip", "link", "set", "dev", "enp1s0", "vf", str(number % CARD_HAS), *words.split()], check=True)

def check(round):
    configs = vf_configs(read_link("enp1s0", in_turn(run)))
    for number, values in list(enumerate(wanted(round)))[-CARD_HAS:]:
        assert values.items() <= configs[number % CARD_HAS].items(), (values, configs[number % CARD_HAS])

def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), used.ru_utime + used.ru_stime + time.process_time()

best = {}
for round in range(10):
    for name, once in (("ours", ours), ("ip", ip)) if round % 2 else (("ip", ip), ("ours", ours)):
        before = spent()
        once(round if name == "ours" else 100 + round)
        cost = [after - began for after, began in zip(spent(), before)]
        check(round if name == "ours" else 100 + round)
        best[name] = [min(pair) for pair in zip(cost, best.get(name, cost))]

midst = [Setting(number % CARD_HAS, {"vlan": 1 + number}) for number in range(VFS)]
midst[VFS // 2 + 1] = Setting((VFS // 2 + 1) % CARD_HAS, {"link_state": "enable"})
try:
    set_attributes(PF, midst, run)
    raise SystemExit("the card was to refuse a link state")
except SriovError as error:
    assert error.result == {"vf": (VFS // 2 + 1) % CARD_HAS, "refused": {"link_state": "enable"}}, error
print(json.dumps(best))
"""


def report() -> tuple[str, bool]:
    """The table, and whether every figure keeps its limit."""
    machine = Machine("bench-pf")
    try:
        boot(machine, Kind(pfs=1))
        best = _measure(machine)
    finally:
        machine.stop()
    (ours, ours_worked), (ip, ip_worked) = best["ours"], best["ip"]
    rows = [
        Row(f"attributes of {VFS} VFs in one batch, against one ip link set for each VF ({ip:.2f} s)", ours / ip, "x", 0.1),
        Row(f"the same in processor time ({ip_worked:.2f} s)", ours_worked / ip_worked, "x"),
        Row("the same in milliseconds", 1000 * ours, "ms"),
    ]
    return table("sriov_pf, attributes of VFs", rows), not any(row.failed for row in rows)


def _measure(machine: Machine) -> dict[str, list[float]]:
    rooms = "ansible_collections/vfpool/sriov/plugins/module_utils"
    packed = subprocess.run(["tar", "-C", CHECKOUT / ".collections", "--exclude=__pycache__", "-ch", rooms], stdout=subprocess.PIPE, check=True)
    subprocess.run(machine.ssh("tar", "-x", "-C", "/root"), input=packed.stdout, check=True)
    measured = subprocess.run(machine.ssh("/usr/bin/python3", "-", str(VFS)), input=ON_THE_HOST, stdout=subprocess.PIPE, check=True, text=True)
    best: dict[str, list[float]] = json.loads(measured.stdout)
    return best
