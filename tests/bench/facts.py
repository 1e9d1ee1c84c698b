# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`sriov_vf_facts` on hosts with many VFs: a synthetic card in namespaces of this machine, with a real libvirtd and real interfaces."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from ansible_collections.vfpool.sriov.tests.bench.host import NEW_SSH, OPEN_SSH, bench_host, run_of
from ansible_collections.vfpool.sriov.tests.bench.table import Row, interleaved, table
from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, Host
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

__all__ = ["report"]

ROUNDS = 7
VFS, MANY_VFS = 256, 4096

# A module that returns the same facts and has no work with them: what is above ping here, no facts module can save.
READY_MADE = """\
import json
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={})
with open("/run/facts.json") as facts:
    module.exit_json(changed=False, ansible_facts=json.load(facts))
"""

# In place of Python on the managed host: notes the most memory that the module took, in KiB, its own and with shared libraries.
MEMORY = """\
#!/usr/bin/python3
import subprocess, sys, time
module = subprocess.Popen(["/usr/bin/python3", *sys.argv[1:]])
most = {"RssAnon": 0, "VmRSS": 0}
while module.poll() is None:
    with open(f"/proc/{module.pid}/status") as status:
        for name, size in (line.split()[:2] for line in status if line.startswith(("RssAnon", "VmRSS"))):
            most[name[:-1]] = max(most[name[:-1]], int(size))
    time.sleep(0.001)
with open("/run/memory", "a") as notes:
    print(most["RssAnon"], most["VmRSS"], file=notes)
sys.exit(module.returncode)
"""


def report() -> tuple[str, bool]:
    """The table, and whether every figure keeps its limit."""
    with bench_host() as host:
        rows = [*_in_process(host), *_whole_module(host)]
    return table(f"sriov_vf_facts, {VFS} VFs", rows), not any(row.failed for row in rows)


def _in_process(host: Host) -> list[Row]:
    """Discovery of few and of many VFs, on file systems in memory, where a system call costs about what it does in sysfs, with ip's answer ready."""
    (link,) = json.loads(host.run("ip", "-json", "-details", "address", "show", "dev", "lo").stdout)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for number in (VFS, MANY_VFS):
            root = Path(folder, str(number))
            Tree(root).pf("enp1s0", "0000:01:00.0", vfs=number, stride=1)
            names = ["enp1s0", *(f"enp1s0v{index}" for index in range(number))]
            (root / "links.json").write_text(json.dumps([{**link, "ifname": name} for name in names]))
        command = ["/usr/bin/python3", str(CHECKOUT / "tests/bench/discovery.py"), f"{folder}/{VFS}", f"{folder}/{MANY_VFS}"]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")}
        spent = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment).stdout)
    few, many = spent[str(VFS)], spent[str(MANY_VFS)]
    return [
        Row(f"discovery (min) of {VFS} VFs, in process", few, "ms", 6),
        Row(f"the same, against the start of a bare Python ({spent['python']:.0f} ms)", few / spent["python"], "x"),
        Row(f"discovery of {MANY_VFS} VFs, against {VFS} VFs", many / few, "x", 18),
    ]


def _whole_module(host: Host) -> list[Row]:
    host.tree.clear().pf("enp1s0", "0000:01:00.0", vfs=VFS, stride=1)
    _make_interfaces(host, ["enp1s0", *(f"enp1s0v{index}" for index in range(VFS))])
    host.start_libvirtd()
    facts = "vfpool.sriov.sriov_vf_facts"
    sriov = host.module("sriov_vf_facts")["ansible_facts"]["sriov"]
    (host.root / "run/facts.json").write_text(json.dumps({"sriov": sriov}))
    (host.root / "run/ready_made.py").write_text(READY_MADE)
    measured = {
        "ping": ["ansible.builtin.ping"],
        "setup": ["ansible.builtin.setup", "-a", "gather_subset=!all,!min,network"],
        "all": [facts],
        "min": [facts, "-a", "gather_subset=min"],
        "ready": ["ready_made", "--module-path", "/run"],
    }
    times = interleaved({name: run_of(host, module) for name, module in measured.items()}, ROUNDS)
    ping = times["ping"]
    new = interleaved({name: run_of(host, measured[name], NEW_SSH) for name in ("ping", "all", "min", "ready")}, ROUNDS)
    kept = interleaved({name: run_of(host, measured[name], OPEN_SSH) for name in ("ping", "all")}, ROUNDS)
    memory = {name: _memory(host, measured[name]) for name in ("ping", "all", "min")}
    return [
        Row(f"ansible -m sriov_vf_facts, against ansible -m ping ({new['ping'].elapsed:.2f} s)", new["all"].elapsed / new["ping"].elapsed, "x", 1.10),
        Row("with gather_subset=min", new["min"].elapsed / new["ping"].elapsed, "x"),
        Row("for comparison: a module that returns the same facts ready made", new["ready"].elapsed / new["ping"].elapsed, "x"),
        Row(f"where an earlier run left the connection open ({kept['ping'].elapsed:.2f} s)", kept["all"].elapsed / kept["ping"].elapsed, "x"),
        Row(f"without ssh, on the controller itself ({ping.elapsed:.2f} s)", times["all"].elapsed / ping.elapsed, "x"),
        Row("the same in processor time", times["all"].worked / ping.worked, "x"),
        Row("the same with gather_subset=min", times["min"].worked / ping.worked, "x"),
        Row("for comparison without ssh: the same facts ready made", times["ready"].elapsed / ping.elapsed, "x"),
        Row("the same in processor time", times["ready"].worked / ping.worked, "x"),
        Row("for comparison without ssh: setup with gather_subset=network", times["setup"].elapsed / ping.elapsed, "x"),
        Row("the same in processor time", times["setup"].worked / ping.worked, "x"),
        Row(f"memory on the host, against ping ({memory['ping'][0] / 1024:.0f} MiB)", memory["all"][0] / memory["ping"][0], "x", 1.3),
        Row(f"the same with the pages of shared libraries ({memory['ping'][1] / 1024:.0f} MiB)", memory["all"][1] / memory["ping"][1], "x"),
        Row("the same with gather_subset=min", memory["min"][1] / memory["ping"][1], "x"),
        Row("size of the result, as JSON", _size(sriov) / 1024, "KiB", 64),
        Row("the same when each VF has a configuration", _size(_with_configuration(sriov)) / 1024, "KiB"),
    ]


def _make_interfaces(host: Host, names: list[str]) -> None:
    """Real interfaces of those names, so that ip and libvirt have as much to tell as on a real host."""
    pairs = zip(names[::2], [*names[1::2], "spare"])
    commands = "\n".join(f"link add {name} type veth peer name {other}" for name, other in pairs)
    host.run("ip", "-batch", "-", stdin=commands)


def _memory(host: Host, module: list[str]) -> tuple[int, int]:
    """The most memory of the module's process in KiB: what is its own, and all that is resident."""
    python, notes = host.root / "run/python", host.root / "run/memory"
    notes.unlink(missing_ok=True)
    python.write_text(MEMORY)
    python.chmod(0o755)
    run_of(host, module, python="/run/python")()
    runs = [[int(size) for size in line.split()] for line in notes.read_text().splitlines()]
    own, resident = map(max, zip(*runs))
    return own, resident


def _size(sriov: dict) -> int:
    return len(json.dumps({"ansible_facts": {"sriov": sriov}}))


def _with_configuration(sriov: dict) -> dict:
    """As on a card whose driver tells each VF's configuration; the synthetic one has no such driver."""
    config = {
        "mac": "ca:a1:9e:cb:58:98", "vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "spoofchk": True, "trust": False, "link_state": "auto",
        "min_tx_rate": 0, "max_tx_rate": 0, "query_rss": None,
    }  # fmt: skip
    return {**sriov, "pfs": [{**pf, "vfs": [{**vf, "config": config} for vf in pf["vfs"]]} for pf in sriov["pfs"]]}
