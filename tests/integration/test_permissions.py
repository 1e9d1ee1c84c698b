# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run by a user who is not root, and one that cannot ask who holds what: it says so in a sentence, and takes nothing for free that may be held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, FIREWALL, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

NOBODY = 65534
NETWORK = {"name": "n", "pf": "enp1s0"}
WEB1 = "b4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"
MAC = "<mac address='52:54:00:00:00:01'/>"
ADDRESS = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
GUEST = f"<domain><name>web1</name><uuid>{WEB1}</uuid><devices><interface type='hostdev'>{MAC}<source>{ADDRESS}</source></interface></devices></domain>"


@pytest.fixture
def warm(host: Host) -> Warm:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    return Warm(host)


def as_nobody(host: Host, warm: Warm) -> None:
    host.run("chmod", "a+x", *map(str, CHECKOUT.parents))  # modules import from there
    warm.user = NOBODY


def test_networks_are_read_where_the_socket_for_readers_does_not_listen_yet(host: Host, card: PF):
    """As on a host whose daemon rests: libvirtd.socket alone was started."""
    host.module("passthrough_network", name="n", pf="enp1s0")
    (host.root / "run/libvirt/libvirt-sock-ro").unlink()
    assert [network["name"] for network in host.module("passthrough_network_info")["networks"]] == ["n"]


@pytest.mark.parametrize(("module", "options"), [("passthrough_network", {"name": "n"}), ("sriov_pf", {"link": "up", "persist": False})])
def test_a_file_of_the_kernel_that_cannot_be_read_is_named_in_a_sentence(host: Host, card: PF, module: str, options: dict):
    card.unreadable("net/enp1s0/flags")
    refusal = host.refusal(module, pf="enp1s0", **options)
    assert refusal.startswith("/sys/class/net/enp1s0/flags cannot be read (Input/output error): run this again, as root, and see journalctl -k")


def test_who_became_root_without_the_path_of_root_runs_what_only_root_runs(host: Host, tmp_path: Path):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    host.run("ln", "-sf", "/bin/true", "/usr/sbin/modprobe")
    task = {"vfpool.sriov.sriov_pf": {"pf": "enp1s0", "vfs": [{"index": 0, "driver": "vfio-pci"}]}, "environment": {"PATH": "/usr/bin"}}
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    (result,) = host.ansible("ansible-playbook", "--check", str(play))
    assert (result["status"], result["result"].get("actions", [])[:1]) == ("ok", ["bind VF 0 of enp1s0 (0000:01:00.0) to vfio-pci"]), result


@pytest.mark.parametrize("before", [True, False], ids=["where root has run it", "where nobody has"])
@pytest.mark.parametrize(("module", "options"), [
    ("passthrough_network", {**NETWORK, "vlan": 7}), ("passthrough_network", {"name": "n", "state": "absent"}), ("passthrough_port", FIREWALL)])
def test_a_user_who_is_not_root_changes_nothing_and_is_told_why(host: Host, warm: Warm, module: str, options: dict, before: bool):
    warm.module("passthrough_network", **NETWORK)
    if not before:
        host.run("rm", "-r", "/run/vfpool.sriov")
    as_nobody(host, warm)
    found = host.virsh("net-dumpxml n")
    said = warm.refusal(module, **options)
    assert said == "The lock /run/vfpool.sriov/libvirt-system.lock for libvirt system cannot be made (Permission denied): run as root, with become."
    assert host.virsh("net-dumpxml n") == found and host.ports("n") == []


def test_a_user_who_is_not_root_sees_networks_and_their_leases(host: Host, warm: Warm):
    warm.module("passthrough_network", **NETWORK)
    warm.module("passthrough_port", **FIREWALL)
    as_nobody(host, warm)
    told = warm.module("passthrough_network_info")
    assert told["networks"][0]["pool"]["members"][0]["lease"]["owner_name"] == "firewall"
    said = "Whether a rebuild was interrupted is not known, for /run/vfpool.sriov/network-n.rebuild cannot be read: run as root"
    assert len(told["warnings"]) == 1 and said in str(told["warnings"])
    assert "<pf dev='enp1s0'/>" in warm.module("passthrough_network", **NETWORK, state="rendered")["xml"]


def test_a_user_who_is_not_root_is_told_what_check_mode_cannot_see(host: Host, warm: Warm):
    as_nobody(host, warm)
    assert warm.module("passthrough_network", **NETWORK, _ansible_check_mode=True)["changed"]
    warm.user = 0
    warm.module("passthrough_network", **NETWORK)
    warm.user = NOBODY
    for module, options in (("passthrough_network", NETWORK), ("passthrough_port", FIREWALL)):
        said = warm.refusal(module, **options, _ansible_check_mode=True)
        assert said.startswith("Whether a rebuild was interrupted is not known, for /run/vfpool.sriov/network-n.rebuild cannot be read: run as root")


def test_a_user_who_is_not_root_is_told_that_a_guests_vfs_cannot_be_seen(host: Host, warm: Warm):
    warm.module("passthrough_network", **NETWORK, mode="hostdev")
    state = host.root / "run/libvirt/qemu/web1.xml"
    state.write_text("<domstatus/>")
    state.chmod(0o600)
    warm.guests.append(GUEST)
    as_nobody(host, warm)
    assert warm.refusal("passthrough_network_info").startswith("Whose VFs the guest web1 holds is not known, for /run/libvirt/qemu/web1.xml cannot be read")


def test_a_daemon_of_networks_alone_beside_which_nobody_tells_of_guests_is_left_alone_while_guests_run(host: Host, warm: Warm):
    """The daemon of guests is not there to be asked, and what it has written down says whether it has any."""
    uri = "network:///system?socket=/run/libvirt/virtnetworkd-sock"
    host.run("ln", "-s", "libvirt-sock", "/run/libvirt/virtnetworkd-sock")
    warm.module("passthrough_network", **NETWORK, uri=uri)
    port = warm.module("passthrough_port", **FIREWALL, uri=uri)["port"]
    before = host.virsh("net-dumpxml n"), host.ports("n")
    (host.root / "run/libvirt/qemu/web1.xml").write_text("<domstatus/>")
    for module, options in (
        ("passthrough_network", NETWORK), ("passthrough_network", {"name": "n", "state": "absent"}), ("passthrough_network_info", {}),
        ("passthrough_port", {**FIREWALL, "owner_uuid": WEB1}), ("passthrough_port", {"network": "n", "uuid": port["uuid"], "state": "absent"}),
    ):
        said = warm.refusal(module, **options, uri=uri)
        assert said.startswith(f"{uri} does not know what guests hold, and who does cannot be asked. libvirt is not running at qemu:///system")
    assert (host.virsh("net-dumpxml n"), host.ports("n")) == before
