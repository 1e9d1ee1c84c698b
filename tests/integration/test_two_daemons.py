# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two daemons of one host, which only the socket in the URI tells apart: each has its own networks, lock and records."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, Host, network
from ansible_collections.vfpool.sriov.tests.integration.namespaces import PATIENCE
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

SOCKET = "/run/other/libvirt-sock"
OTHER = f"qemu+unix:///system?socket={SOCKET}"
JOURNAL = "run/vfpool.sriov/network-n.rebuild"
# Its state, its definitions and its process number are where the first daemon does not look.
START = """
mkdir /run/other
sed 's/^unix_sock_dir.*//' /etc/libvirt/libvirtd.conf >/run/other/libvirtd.conf
echo 'unix_sock_dir = "/run/other"' >>/run/other/libvirtd.conf
for folder in /run/libvirt /etc/libvirt /var/lib/libvirt; do mount -t tmpfs tmpfs $folder; done
exec libvirtd -f /run/other/libvirtd.conf -p /run/other/pid
"""


@pytest.fixture
def warm(host: Host) -> Warm:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    with host.log.open("ab") as log:
        host.start("unshare", "--mount", "sh", "-c", START, stdout=log, stderr=log)
    deadline = time.monotonic() + PATIENCE
    while host.run("virsh", "-c", OTHER, "net-list", check=False).returncode:
        assert time.monotonic() < deadline, host.log.read_text()[-2000:]
        time.sleep(0.05)
    return Warm(host)


def test_what_a_run_has_left_at_one_daemon_is_finished_at_that_daemon_alone(host: Host, warm: Warm):
    host.define(network(name="n"))
    host.port_create("n", "web1")
    before = host.ports("n")
    leases = [host.virsh(f"net-port-dumpxml n {before[0]['port']}")]
    record = {"uuid": host.xml("n").findtext("uuid"), "xml": host.virsh("net-dumpxml n"), "leases": leases, "before": leases}
    (host.root / JOURNAL).parent.mkdir()
    (host.root / JOURNAL).write_text(json.dumps(record) + "\nstopped\n")
    host.virsh("net-destroy n")
    made = warm.module("passthrough_network", name="n", pf="enp1s0", uri=OTHER)
    assert made["network"]["pool"]["leases"] == [] and (host.root / JOURNAL).exists()
    assert warm.module("passthrough_port", **FIREWALL, uri=OTHER)["port"]["plug"]["interface"] == "enp1s0v0"
    warm.module("passthrough_network", name="n", pf="enp1s0")
    assert host.ports("n") == before and not (host.root / JOURNAL).exists()


def test_a_run_at_one_daemon_does_not_wait_for_one_at_another(host: Host, warm: Warm):
    lock = "/run/vfpool.sriov/libvirt-system.lock"
    host.run("mkdir", "/run/vfpool.sriov")
    other = host.start("flock", lock, "sh", "-c", "echo held; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    assert warm.module("passthrough_network", name="n", pf="enp1s0", uri=OTHER)["changed"]
    other.communicate()
    assert host.virsh("net-list --all --name") == ""


def test_hostdev_leases_of_the_other_daemon_are_not_looked_for_in_the_state_of_the_first(host: Host, warm: Warm):
    """A guest of the first daemon has the same name, and its own lease of a network of the same name."""
    warm.module("passthrough_network", name="n", pf="enp1s0", mode="hostdev", uri=OTHER)
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    mac, port = "<mac address='52:54:00:00:00:01'/>", "a4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
    interface = f"<interface type='hostdev'>{mac}<source>{address.replace('0x0', '0x2')}</source></interface>"
    warm.guests.append(f"<domain><name>web1</name><uuid>{port}</uuid><devices>{interface}</devices></domain>")
    (host.root / "run/libvirt/qemu/web1.xml").write_text(
        f"<domstatus><domain><devices><interface type='network'>{mac}<source network='n' portid='{port}'/>"
        f"<actual type='hostdev'><source>{address}</source></actual></interface></devices></domain></domstatus>"
    )
    warm.module("passthrough_network", name="n", pf="enp1s0", mode="hostdev", uri=OTHER, overlap="warn")
    assert host.run("virsh", "-q", "-c", OTHER, "net-port-list", "n").stdout.strip() == ""
