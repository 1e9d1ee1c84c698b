# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that the URI puts on another host: libvirt's own answers are all that is known of it. The laboratory does the same over ssh."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import Cut
from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

# What ssh does, without ssh: the program's standard input and output are the daemon's socket.
URI = "qemu+ext://elsewhere/system?command=/run/door"
DOOR = """#!/usr/bin/python3
import os, socket, threading
daemon = socket.socket(socket.AF_UNIX)
daemon.connect("/run/libvirt/libvirt-sock")
def send():
    while words := os.read(0, 65536):
        daemon.sendall(words)
    daemon.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while words := daemon.recv(65536):
    os.write(1, words)
os._exit(0)
"""
NETWORK = {"name": "n", "pf": "enp1s0", "uri": URI}


@pytest.fixture
def warm(host: Host) -> Warm:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    door = host.root / "run/door"
    door.write_text(DOOR)
    door.chmod(0o755)
    return Warm(host)


def test_a_network_elsewhere_is_defined_and_rebuilt_with_its_leases(host: Host, warm: Warm):
    assert warm.module("passthrough_network", **NETWORK)["actions"][-1] == "start the network n"
    host.port_create("n", "web1")
    before = host.ports("n")
    assert not warm.module("passthrough_network", **NETWORK)["changed"]
    for vlan in (5, 6):
        assert "keeping 1 leases" in warm.module("passthrough_network", **NETWORK, vlan=vlan)["actions"][-1]
        assert host.ports("n") == before
        host.restart_libvirtd()  # the live XML no longer names the PF
    (network,) = warm.module("passthrough_network_info", uri=URI)["networks"]
    assert network["pool"]["members"][0]["lease"]["owner_name"] == "web1"
    assert (network["pool"]["kind"], network["pool"]["missing"]) == ("implicit", None)


def test_a_port_elsewhere_is_taken_and_given_back(host: Host, warm: Warm):
    warm.module("passthrough_network", **NETWORK)
    port = {"network": "n", "owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "uri": URI}
    assert warm.module("passthrough_port", **port)["port"]["plug"]["interface"] == "enp1s0v0"
    assert warm.module("passthrough_port", **port, state="absent")["changed"]
    assert host.ports("n") == []


def test_an_overlap_elsewhere_is_found_by_what_the_documents_say(host: Host, warm: Warm):
    warm.module("passthrough_network", name="first", interfaces=["enp1s0v0"])
    refusal = warm.attempt("passthrough_network", name="n", interfaces=["enp1s0v0", "enp1s0v1"], uri=URI)
    assert refusal and "first hands out enp1s0v0" in refusal["msg"]
    warm.module("passthrough_network", name="first", state="absent")
    warm.module("passthrough_network", **NETWORK)
    refusal = warm.attempt("passthrough_network", **{**NETWORK, "name": "second"})
    assert refusal and "n hands out enp1s0" in refusal["msg"]
    assert host.virsh("net-list --all --name") == "n"


def test_a_network_elsewhere_whose_overlap_shows_when_it_runs_is_stopped_again_even_with_forgotten_leases_back(host: Host, warm: Warm):
    wanted = {**NETWORK, "autostart": False}
    warm.module("passthrough_network", **wanted)
    lease = host.port_create("n", "web1")
    source = f"<source network='n' portid='{lease['port']}' dev='enp1s0v0' mode='passthrough'/>"
    devices = f"<devices><interface type='direct'><mac address='{lease['mac']}'/>{source}</interface></devices>"
    warm.guests.append(f"<domain><name>web1</name><uuid>{lease['owner_uuid']}</uuid>{devices}</domain>")
    host.virsh("net-destroy n")
    warm.module("passthrough_network", name="first", interfaces=["enp1s0v3"])
    refusal = warm.refusal("passthrough_network", **wanted)
    assert "first hands out enp1s0v3" in refusal and "keeps running" not in refusal
    assert host.virsh("net-list --name") == "first"
    warm.module("passthrough_network", name="first", state="absent")
    warm.module("passthrough_network", **wanted)
    assert host.ports("n") == [lease]


def test_a_network_elsewhere_whose_overlap_shows_in_its_rebuild_gets_its_former_pool_and_leases_back(host: Host, warm: Warm):
    host.tree.pf("enp2s0", "0000:02:00.0", vfs=4)
    warm.module("passthrough_network", name="first", interfaces=["enp2s0v3"])
    warm.module("passthrough_network", **NETWORK)
    before = host.virsh("net-dumpxml n")
    refusal = warm.refusal("passthrough_network", **{**NETWORK, "pf": "enp2s0"})
    assert "first hands out enp2s0v3" in refusal
    assert host.virsh("net-dumpxml n") == before
    lease = host.port_create("n", "web1")
    refusal = warm.refusal("passthrough_network", **{**NETWORK, "pf": "enp2s0"}, on_in_use="force")
    assert "first hands out enp2s0v3" in refusal
    assert host.ports("n") == [lease]


def test_a_network_elsewhere_of_which_a_guest_took_a_vf_keeps_running_though_its_overlap_shows(host: Host, warm: Warm):
    door = host.root / "run/door"
    door.write_text(DOOR.replace("libvirt-sock", "cut-sock"))
    taken: list[dict] = []

    def take(_pid: int) -> None:
        with contextlib.suppress(AssertionError):  # while the network does not run
            taken.append(host.port_create("n", "web1"))

    warm.module("passthrough_network", name="first", interfaces=["enp1s0v3"])
    host.define("<network><name>n</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>", start=False)
    for at in range(40):
        with Cut(host, at, fall=take, goes_on=True):
            refusal = warm.refusal("passthrough_network", **NETWORK, autostart=False)
        if taken:
            break
    assert "Guests took VFs of the network n just now (web1 holds enp1s0v0), so it keeps running" in refusal
    assert host.ports("n") == taken


def test_a_network_elsewhere_may_leave_what_it_shares_with_another(host: Host, warm: Warm):
    host.tree.pf("enp2s0", "0000:02:00.0", vfs=4)
    warm.module("passthrough_network", **NETWORK)
    warm.module("passthrough_network", name="first", interfaces=["enp1s0v3"], overlap="warn")
    assert "first hands out enp1s0v3" in warm.refusal("passthrough_network", **NETWORK)
    moved = warm.module("passthrough_network", **{**NETWORK, "pf": "enp2s0"})
    assert moved["actions"][-1] == "rebuild the live network n: its pool is that of the PF enp1s0"
    assert host.members("n") == [f"enp2s0v{index}" for index in range(4)]


def test_a_list_elsewhere_gives_way_to_a_pf(host: Host, warm: Warm):
    warm.module("passthrough_network", name="n", interfaces=["enp1s0v0"], uri=URI)
    made = warm.module("passthrough_network", **NETWORK)
    assert made["actions"][-1] == "rebuild the live network n: its pool is to be that of the PF enp1s0"
    assert host.members("n") == [f"enp1s0v{index}" for index in range(4)]


@pytest.mark.parametrize("pool", [{"pf": "enp1s0"}, {"addresses": ["0000:01:10.0", "0000:01:10.2"]}])
def test_what_a_guest_elsewhere_holds_as_a_pci_device_is_not_given_though_its_lease_cannot_be_looked_for(host: Host, warm: Warm, pool):
    """The live document of a guest has lost the lease of a PCI device, and what has it is a file of that host."""
    wanted = {"name": "n", "mode": "hostdev", "uri": URI, **pool}
    warm.module("passthrough_network", **wanted)
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    lease = host.port_create("n", "web1")
    device = f"<interface type='hostdev'><mac address='{lease['mac']}'/><source>{address}</source></interface>"
    warm.guests.append(f"<domain><name>web1</name><uuid>{lease['owner_uuid']}</uuid><devices>{device}</devices></domain>")
    assert not warm.module("passthrough_network", **wanted).get("warnings")
    host.virsh("net-destroy n")
    told = "libvirt would give one VF to two guests: the guest web1 holds 0000:01:10.0. If that is a lease of this network, which libvirt has forgotten"
    refusal = warm.attempt("passthrough_network", **wanted)
    assert refusal and told in refusal["msg"]
    assert host.virsh("net-list --name") == ""
    host.virsh("net-start n")
    assert told in str(warm.module("passthrough_network", **wanted)["warnings"])
    refusal = warm.attempt("passthrough_network", **wanted, vlan=7)
    assert refusal and told in refusal["msg"]
    owner = {"network": "n", "owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", "uri": URI}
    assert warm.module("passthrough_port", **owner)["port"]["plug"]["address"] == "0000:01:10.2"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"vfs": "0-1"}, "run this there, or list the VFs"), ({"pf": "0000:01:00.0"}, "run this there, or name the PF's interface"), ({"pf": "nosuch"}, "nosuch")],
)
def test_what_only_the_kernel_there_knows_is_refused(host: Host, warm: Warm, options, words):
    refusal = warm.attempt("passthrough_network", **{**NETWORK, **options})
    assert refusal and words in refusal["msg"]
    assert host.virsh("net-list --all --name") == ""


def test_a_uri_that_names_this_host_itself_is_that_of_its_own_daemon(host: Host, warm: Warm):
    wanted = {"name": "n", "pf": "0000:01:00.0", "vfs": "0-1", "mode": "hostdev"}
    lease = {"network": "n", "owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
    here = URI.replace("elsewhere", "root@localhost")
    assert warm.module("passthrough_network", **wanted, uri=here)["changed"]
    assert warm.module("passthrough_port", **lease, uri=here)["changed"]
    for uri in (here, "qemu:///system"):
        assert not warm.module("passthrough_network", **wanted, uri=uri)["changed"]
        assert not warm.module("passthrough_port", **lease, uri=uri)["changed"]
    assert [path.name for path in (host.root / "run/vfpool.sriov").iterdir()] == ["libvirt-system.lock"]


@pytest.mark.parametrize("uri", ["qemu+ssh://kvm2/system", "qemu+ssh://kvm2/system?command=/nowhere/ssh"])
def test_a_host_that_cannot_be_reached_is_named(host: Host, warm: Warm, uri):
    refusal = warm.attempt("passthrough_network", **{**NETWORK, "uri": uri})
    assert refusal and f"libvirt at {uri} cannot be reached" in refusal["msg"]
