# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that the other tests use is a host of its own, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

POOL = "<network><name>pool</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"
BUSY_SESSION = """
import sys
from pathlib import Path
from ansible_collections.vfpool.sriov.tests.integration.host import Host
host = Host(Path(sys.argv[1]))
host.start_libvirtd()
host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
host.define("<network><name>pool</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>")
host.module("sriov_vf_facts")
host.start("sleep", "1000")
print("busy", flush=True)
sys.stdin.read()
host.close()
"""


def processes_that_see(folder: Path) -> list[int]:
    """The processes for which something is mounted in the folder: those of its host. Without one, the kernel keeps no mount."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(folder) in (process / "mountinfo").read_text():
                    found.append(int(process.name))
            except OSError:
                continue  # gone while we looked
    return found


def busy_session(folder: Path) -> subprocess.Popen[str]:
    session = subprocess.Popen([sys.executable, "-c", BUSY_SESSION, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")})
    assert session.stdout and session.stdout.readline() == "busy\n"
    assert len(processes_that_see(folder)) >= 3  # its first process, libvirtd, and the way in
    return session


def test_a_network_of_a_synthetic_pf_hands_out_its_vfs(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=64)
    host.define(POOL)
    assert len(host.xml("pool").findall("forward/interface")) == 64
    lease = host.port_create("pool", "web1")
    assert (lease["owner"], lease["member"]) == ("web1", "enp1s0v0")
    assert host.ports("pool") == [lease]
    host.port_delete("pool", lease)
    assert host.ports("pool") == []


def test_the_next_test_finds_a_new_host(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.define(POOL)
    sleeper = host.start("sleep", "1000")
    host.run("touch", "/run/trace", "/etc/trace", "/var/lib/trace")
    host.reset()
    host.start_libvirtd()
    assert host.virsh("net-list --all") == ""
    assert host.run("ls", "/sys/class/net", "/sys/bus/pci/devices").stdout.split() == ["/sys/bus/pci/devices:", "/sys/class/net:"]
    assert host.run("find", "/run", "/etc", "/var/lib", "-name", "trace").stdout == ""
    assert sleeper.returncode is not None


def test_leases_and_definitions_survive_a_restart_and_a_crash_of_the_daemon(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.define(POOL)
    lease = host.port_create("pool", "web1")
    host.restart_libvirtd()
    assert host.ports("pool") == [lease]
    host.kill_libvirtd()
    host.start_libvirtd()
    assert host.ports("pool") == [lease]


def test_a_module_runs_as_ansible_runs_it(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    facts = host.module("sriov_vf_facts")["ansible_facts"]["sriov"]
    assert [vf["name"] for vf in facts["pfs"][0]["vfs"]] == ["enp1s0v0", "enp1s0v1", "enp1s0v2", "enp1s0v3"]
    assert host.module("sriov_vf_facts", check=True, diff=False)["changed"] is False
    assert "nosuch" in host.refusal("sriov_vf_facts", pfs=["nosuch"])


def test_a_playbook_runs_as_ansible_runs_it(host: Host, tmp_path: Path) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    playbook = tmp_path / "play.yml"
    playbook.write_text("""
- hosts: all
  gather_facts: false
  tasks:
    - {name: look, vfpool.sriov.sriov_vf_facts: {pfs: [enp1s0]}}
    - {name: wait, vfpool.sriov.sriov_vf_facts: {pfs: [enp1s0]}, async: 30, poll: 1}
    - {name: bring, ansible.builtin.copy: {content: "for the host alone", dest: /etc/brought, mode: "600"}}
""")
    results = host.ansible("ansible-playbook", str(playbook))
    assert [(result["task"], result["status"]) for result in results] == [("look", "ok"), ("wait", "ok"), ("bring", "ok")]
    assert host.run("cat", "/etc/brought").stdout == "for the host alone"
    assert not Path("/etc/brought").exists()


def test_a_session_that_ends_leaves_no_process_and_no_mount(tmp_path: Path) -> None:
    busy_session(tmp_path).communicate()
    assert processes_that_see(tmp_path) == []


def test_a_session_that_is_killed_leaves_no_process_and_no_mount_either(tmp_path: Path) -> None:
    session = busy_session(tmp_path)
    session.send_signal(signal.SIGKILL)
    session.communicate()
    deadline = time.monotonic() + 10
    while left := processes_that_see(tmp_path):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)


def test_two_sessions_do_not_see_each_other(host: Host, tmp_path: Path) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.define(POOL)
    other = Host(tmp_path)
    other.start_libvirtd()
    assert other.virsh("net-list --all") == ""
    other.close()
    assert "pool" in host.virsh("net-list")


def test_a_module_that_runs_warm_leaves_no_folder_behind(host: Host) -> None:
    def folders() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob("ansible-moduletmp-*"))

    before = folders()
    Warm(host).module("passthrough_network_info")
    assert folders() <= before
