# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, FIREWALL, Host, network
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.documented import examples_of

# Reads the host as gather_subset min does, in a process that does nothing else, with what ip says about its interfaces.
DISCOVERY = """\
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
sysfs, links = Sysfs(sys.argv[2]), sys.argv[3]
open("/proc/self/comm").close()
sriov = gather(None, {"min"}, lambda command: (0, links, ""), sysfs)
open("/proc/self/comm").close()
assert sriov["incomplete"] == []
assert all(vf["mac"] and vf["operstate"] for vf in sriov["pfs"][0]["vfs"])
"""


# Looks for interfaces that were moved, where the driver of an interface says as ethtool's that it stands on a PCI function: here none does.
ELSEWHERE = """\
import ctypes, fcntl, json, struct, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.vfpool.sriov.plugins.module_utils._namespaces import look_elsewhere
told = json.loads(sys.argv[2])
def ioctl(_socket, _request, argument):
    name, place = struct.unpack("16sP", argument)
    if name.rstrip(b"\\0").decode() not in told:
        raise OSError(95, "Operation not supported")
    ctypes.memmove(place + 100, told[name.rstrip(b"\\0").decode()].encode(), 12)
fcntl.ioctl = ioctl
print(json.dumps(look_elsewhere(set(json.loads(sys.argv[3])))))
"""


def facts(host: Host, **options: Any) -> dict:
    sriov: dict = host.module("sriov_vf_facts", **options)["ansible_facts"]["sriov"]
    return sriov


def used_by(host: Host, **options: Any) -> list[Any]:
    return [vf["used_by"] for vf in facts(host, gather_subset=["usage"], **options)["pfs"][0]["vfs"]]


def test_nobody_holds_the_vfs_of_a_new_host(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    assert used_by(host) == [[], [], [], []]


def test_a_lease_names_guest_uuid_and_network(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=256, stride=1)
    host.define(network())
    first, second = host.port_create("pool", "web1"), host.port_create("pool", "web2", mac="52:54:00:00:00:02")
    held = used_by(host)
    assert held[:2] == [
        [{"kind": "libvirt_port", "name": port["owner"], "uuid": port["owner_uuid"], "network": "pool"}] for port in (first, second)
    ]
    assert held[2:] == [[]] * 254


def test_a_lease_of_a_hostdev_pool_is_found_by_its_pci_address(host: Host) -> None:
    host.tree.pf("enp1s0", "0001:01:00.0", vfs=4)
    host.define(network(mode="hostdev"))
    host.port_create("pool", "web1")
    assert [[entry["name"] for entry in entries] for entries in used_by(host)] == [["web1"], [], [], []]


def test_while_libvirt_is_down_no_vf_is_known_to_be_free(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    host.stop_libvirtd()
    sriov = facts(host, gather_subset=["usage"])
    assert [vf["used_by"] for vf in sriov["pfs"][0]["vfs"]] == [None] * 4
    assert [(entry["part"], entry["pf"]) for entry in sriov["incomplete"] if "libvirt is not running" in entry["reason"]] == [
        ("vfs[0-3].used_by", "0000:01:00.0")
    ]


def test_a_vf_in_another_namespace_is_held_even_if_libvirt_cannot_be_asked(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2).vf(1).elsewhere()
    host.stop_libvirtd()
    assert used_by(host) == [None, [{"kind": "netns", "name": None, "uuid": None, "network": None}]]


def test_the_macvlan_of_a_container_holds_the_vf_that_it_stands_on(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=3)
    with real_interfaces(host, "enp1s0v0", "enp1s0v1"):
        for command in ("netns add blue", "link add link enp1s0v1 name mv1 type macvlan", "link set mv1 netns blue name eth0"):
            host.run("ip", *command.split())
        held = used_by(host)
        host.run("ip", "netns", "delete", "blue")
    assert held == [[], [{"kind": "macvtap", "name": "eth0 in blue", "uuid": None, "network": None}], []]


def test_an_interface_that_was_moved_is_found_in_the_namespace_that_has_it(host: Host) -> None:
    process = host.start("unshare", "--net", "sh", "-c", "echo $$ && exec sleep 1000", stdout=subprocess.PIPE, text=True)
    assert process.stdout
    pid = process.stdout.readline().strip()
    host.run("ip", "netns", "add", "blue")
    for name, namespace in (("wan0", "blue"), ("wan1", pid), ("wan2", "blue")):
        host.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}peer", "netns", namespace)
        host.run("ip", "link", "set", name, "netns", namespace)
    told = {"wan0": "0000:01:10.0", "wan1": "0000:01:10.2", "wan2": "0000:01:10.4"}
    moved = ["0000:01:10.0", "0000:01:10.2", "0000:01:10.6"]
    try:
        found, uppers, doubts = host.python(ELSEWHERE, str(CHECKOUT / ".collections"), json.dumps(told), json.dumps(moved))
    finally:
        host.run("ip", "netns", "delete", "blue")
    assert found == {"0000:01:10.0": "blue", "0000:01:10.2": f"pid {pid} (sleep)"}
    assert (uppers, doubts) == ([], [])


def test_a_guest_that_is_defined_and_does_not_run_is_promised_the_vfs_that_its_definition_names(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    # No QEMU is installed that could define it; but the daemon knows what it finds among its files.
    host.run("sh", "-c", "mkdir -p /etc/libvirt/qemu && cat >/etc/libvirt/qemu/db1.xml", stdin=f"""
        <domain type='qemu'><name>db1</name><uuid>{FIREWALL["owner_uuid"]}</uuid><memory>1024</memory><os><type>hvm</type></os><devices>
          <interface type='hostdev'><source><address type='pci' domain='0' bus='1' slot='0x10' function='2'/></source></interface>
          <interface type='direct'><source dev='enp1s0v2' mode='passthrough'/></interface>
        </devices></domain>""")
    host.restart_libvirtd()
    promised = [{"kind": "libvirt_domain", "name": "db1", "uuid": FIREWALL["owner_uuid"], "network": None, "active": False}]
    assert used_by(host) == [[], promised, promised, []]


@contextmanager
def real_interfaces(host: Host, name: str, other: str) -> Iterator[None]:
    """Two interfaces that the kernel knows, too."""
    host.run("ip", "link", "add", name, "type", "veth", "peer", "name", other)
    yield
    host.run("ip", "link", "delete", name)


def test_a_selector_that_fits_nothing_fails_and_lists_the_pfs(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0")
    # The card is not in the kernel, so ip knows none of its altnames.
    instead = "no interface has that name, and which altnames the PFs have is not known"
    assert host.refusal("sriov_vf_facts", pfs=["nosuch"]) == f"No PF of this host is 'nosuch' ({instead}): the PFs are enp1s0 (0000:01:00.0)."


def test_a_host_without_sriov_has_empty_facts(host: Host) -> None:
    assert facts(host) == {"pfs": [], "incomplete": []}


@pytest.mark.parametrize("parallel", ["false", "true"])
def test_the_facts_come_beside_those_of_setup(host: Host, tmp_path: Path, parallel: str) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    play = tmp_path / "play.yml"
    play.write_text(f"""
- hosts: localhost
  vars:
    ansible_facts_modules: [ansible.builtin.setup, vfpool.sriov.sriov_vf_facts]
    ansible_facts_parallel: {parallel}
  module_defaults:
    ansible.builtin.setup: {{gather_subset: [min]}}
    vfpool.sriov.sriov_vf_facts: {{gather_subset: [min]}}
  tasks:
    - ansible.builtin.assert:
        that:
          - ansible_facts['distribution'] is defined
          - ansible_facts['sriov']['pfs'][0]['vfs'] | length == 2
          - ansible_facts['sriov']['pfs'][0]['vfs'][0]['used_by'] is none
          - ansible_facts['sriov'] | vfpool.sriov.interface_pool == ['enp1s0v0', 'enp1s0v1']
""")
    results = host.ansible("ansible-playbook", str(play))
    assert [result["status"] for result in results] == ["ok", "ok"], results


def test_facts_gathered_at_the_start_of_plays_are_there_in_a_later_run_from_the_cache(host: Host, tmp_path: Path) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    gathering, using = tmp_path / "gathering.yml", tmp_path / "using.yml"
    gathering.write_text("[{hosts: localhost, gather_facts: true, tasks: []}]")
    using.write_text("""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: ansible_facts['sriov'] | vfpool.sriov.interface_pool(unused=true) == ['enp1s0v0', 'enp1s0v1']
""")
    cache = ["ANSIBLE_CACHE_PLUGIN=jsonfile", f"ANSIBLE_CACHE_PLUGIN_CONNECTION={tmp_path / 'facts'}"]
    gathered = host.ansible(*cache, "ANSIBLE_FACTS_MODULES=vfpool.sriov.sriov_vf_facts", "ansible-playbook", str(gathering))
    used = host.ansible(*cache, "ansible-playbook", str(using))
    assert [result["status"] for result in gathered + used] == ["ok", "ok"], gathered + used
    assert [result["status"] for result in host.ansible("ansible-playbook", str(using))] == ["failed"]


def test_the_examples_of_the_documentation_run(host: Host, tmp_path: Path) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": examples_of("sriov_vf_facts")}]))
    results = host.ansible("ansible-playbook", str(play))
    assert [line for line in results if line["status"] not in ("ok", "skipped")] == []
    assert len(results) >= len(examples_of("sriov_vf_facts")) - 1  # the last is a play of its own


@pytest.mark.parametrize(("told_by_ip", "expected"), [(True, 3), (False, 9)])
def test_each_vf_costs_the_same_few_system_calls_however_many_there_are(tmp_path: Path, told_by_ip: bool, expected: int) -> None:
    tree = Tree(tmp_path)
    pf = tree.pf("enp1s0", "0000:01:00.0", stride=1, total=256)
    calls = {}
    for number in (1, 65, 256):
        pf.resize(number)
        names = ["enp1s0", *(f"enp1s0v{index}" for index in range(number) if told_by_ip)]
        calls[number] = system_calls(tmp_path, [{"ifname": name, "address": "52:54:00:00:00:01", "operstate": "UP"} for name in names])
    for_each = (calls[65] - calls[1]) / 64
    assert for_each == expected
    assert (calls[256] - calls[65]) / 191 == pytest.approx(for_each, abs=0.1)


def system_calls(root: Path, links: list[dict[str, str]]) -> int:
    """How many system calls the discovery makes, by strace, between two marks; ``links`` are what ip says."""
    command = ["strace", "-qq", "/usr/bin/python3", "-c", DISCOVERY, str(CHECKOUT / ".collections"), str(root), json.dumps(links)]
    traced = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    calls = re.split(r'^openat\(.*"/proc/self/comm".*$', traced, flags=re.MULTILINE)[1]
    # Memory is no question to the kernel about a VF.
    return len([line for line in calls.splitlines() if re.match(r"[a-z0-9_]+\(", line) and not re.match(r"(brk|mmap|munmap|madvise)\(", line)])
