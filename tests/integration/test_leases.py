# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No lease is lost and no VF handed out twice: stale pools, holders, and libvirt's own traps."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

LOCK = "/run/vfpool.sriov/libvirt-system.lock"
ANY = (
    "<networkport><uuid>6e9f0b9c-3a55-4a4b-8a7b-3f1f3c3f5a11</uuid><owner><name>any</name><uuid>0c3c0f6d-3b0b-4e39-9a4a-0d0d2a0c6a01</uuid></owner>"
    "<mac address='52:54:00:00:00:09'/></networkport>"
)
IMPLICIT = "<network><name>n</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"


def members(host: Host, name: str = "n") -> list[str | None]:
    return [entry.get("dev") for entry in host.xml(name).findall("forward/interface")]


def counts(host: Host, name: str = "n") -> dict[str | None, int]:
    return {entry.get("dev"): int(entry.get("connections", 0)) for entry in host.xml(name).findall("forward/interface")}


def held(host: Host, name: str = "n") -> list[str | None]:
    return [lease["member"] for lease in host.ports(name)]


@pytest.mark.parametrize("mode", ["passthrough", "hostdev", "private"])
def test_a_stale_pool_is_rebuilt_and_every_lease_kept(host: Host, card, mode):
    host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    for index in range(3):
        host.port_create("n", f"web{index}", mac=f"52:54:00:00:00:0{index}")
    before = host.ports("n")
    card.resize(6)
    result = host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    assert len(result["actions"]) == 1
    assert result["actions"][0].startswith("rebuild the live network n, keeping 3 leases: its pool lacks ")
    assert host.ports("n") == before
    assert len(result["network"]["pool"]["members"]) == 6
    assert result["network"]["pool"]["missing"] == result["network"]["pool"]["surplus"] == result["network"]["pool"]["stale"] == []
    if mode != "hostdev":
        assert sum(counts(host).values()) == 3
    fourth = host.port_create("n", "web3", mac="52:54:00:00:00:03")
    assert fourth["member"] not in [lease["member"] for lease in before]
    for lease in host.ports("n"):
        host.port_delete("n", lease)
    assert host.xml("n").get("connections") is None
    assert not host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)["changed"]


def test_check_mode_foretells_a_rebuild(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    card.resize(6)
    foretold = host.module("passthrough_network", name="n", pf="enp1s0", check=True)
    assert len(members(host)) == 4
    assert foretold["network"]["pool"]["missing"] == ["enp1s0v4", "enp1s0v5"]
    assert host.module("passthrough_network", name="n", pf="enp1s0")["actions"] == foretold["actions"]


def test_a_changed_definition_reaches_the_live_network_and_keeps_its_leases(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    before = host.ports("n")
    assert "keeping 1 leases: its definition has changed" in host.module("passthrough_network", name="n", pf="enp1s0", vlan=7)["actions"][1]
    assert host.ports("n") == before
    assert host.xml("n").find("vlan/tag").get("id") == "7"


@pytest.mark.parametrize(("refresh", "leases", "rebuilt"), [("never", 0, False), ("idle", 1, False), ("idle", 0, True), ("safe", 1, True)])
def test_refresh_says_when_a_stale_pool_is_rebuilt(host: Host, card, refresh, leases, rebuilt):
    host.module("passthrough_network", name="n", pf="enp1s0")
    for _guest in range(leases):
        host.port_create("n", "web1")
    card.resize(5)
    result = host.module("passthrough_network", name="n", pf="enp1s0", refresh=refresh)
    assert result["changed"] == rebuilt
    assert len(members(host)) == (5 if rebuilt else 4)
    assert result["network"]["pool"]["missing"] == ([] if rebuilt else ["enp1s0v4"])
    assert rebuilt or f"stays so: refresh is {refresh}" in result["warnings"][0]


def test_a_part_of_a_pf_grows_and_shrinks_with_its_leases(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0", vfs="0-1")
    host.port_create("n", "web1")
    for vfs, expected in (("0-3", 4), ("0,2", 2)):
        host.module("passthrough_network", name="n", pf="enp1s0", vfs=vfs)
        assert (len(members(host)), held(host)) == (expected, ["enp1s0v0"])
        assert not host.module("passthrough_network", name="n", pf="enp1s0", vfs=vfs)["changed"]
    assert "web1 holds enp1s0v0" in host.refusal("passthrough_network", name="n", pf="enp1s0", vfs="1-3")
    assert (members(host), held(host)) == (["enp1s0v0", "enp1s0v2"], ["enp1s0v0"])


@pytest.mark.parametrize(
    "options",
    [
        {"state": "absent"},
        {"pf": "enp1s0", "active": False},
        {"pf": "enp9s0"},
        {"interfaces": ["enp1s0v1", "enp1s0v2"]},
    ],
)
def test_what_a_guest_holds_is_taken_only_by_force(host: Host, card, options):
    host.tree.pf("enp9s0", "0000:09:00.0", vfs=2)
    host.module("passthrough_network", name="n", pf="enp1s0")
    lease = host.port_create("n", "web1")
    before = host.virsh("net-dumpxml n"), host.virsh("net-dumpxml n --inactive"), host.ports("n")
    assert "web1 holds enp1s0v0" in host.refusal("passthrough_network", name="n", **options)
    assert (host.virsh("net-dumpxml n"), host.virsh("net-dumpxml n --inactive"), host.ports("n")) == before
    forced = host.module("passthrough_network", name="n", on_in_use="force", **options)
    assert "taking away web1 holds enp1s0v0" in " ".join(forced["actions"])
    assert lease not in (host.ports("n") if "n" in host.virsh("net-list --name") else [])


def test_force_takes_only_what_the_new_pool_lacks(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web0", mac="52:54:00:00:00:00")
    host.port_create("n", "web1", mac="52:54:00:00:00:01")
    host.module("passthrough_network", name="n", interfaces=["enp1s0v3", "enp1s0v1"], on_in_use="force")
    assert held(host) == ["enp1s0v1"]


@pytest.mark.parametrize(("mode", "name"), [("hostdev", "0000:01:10.0"), ("private", "enp1s0v0")])
def test_a_forced_change_of_mode_keeps_from_newcomers_what_a_guest_holds(host: Host, card, mode, name):
    host.module("passthrough_network", name="n", pf="enp1s0")
    lease = host.port_create("n", "web1")
    changed = {"name": "n", "pf": "enp1s0", "mode": mode}
    assert "web1 holds enp1s0v0" in host.refusal("passthrough_network", **changed)
    foretold = host.module("passthrough_network", **changed, on_in_use="force", check=True)
    forced = host.module("passthrough_network", **changed, on_in_use="force")
    assert forced["actions"] == foretold["actions"]
    assert f"what guests hold by another name or mode (web1 holds {name})" in forced["actions"][-1]
    assert host.ports("n") == [{**lease, "member": name}]
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] in {"0000:01:10.2", "enp1s0v1"}
    assert not host.module("passthrough_network", **changed)["changed"]
    host.module("passthrough_network", name="n", pf="enp1s0", on_in_use="force")
    assert held(host) == ["enp1s0v0", "enp1s0v1"]
    host.port_delete("n", lease)
    assert host.port_create("n", "web3", mac="52:54:00:00:00:03")["member"] == "enp1s0v0"


def test_a_client_that_comes_in_the_middle_of_a_rebuild_is_waited_for(host: Host, card):
    """It is given a VF that a guest holds, finds the device busy and lets go; the lease of the guest is put back."""
    host.module("passthrough_network", name="n", pf="enp1s0")
    for index in range(4):
        host.port_create("n", f"web{index}", mac=f"52:54:00:00:00:0{index}")
    before = host.ports("n")
    program = """if True:
        import libvirt, time, uuid
        libvirt.registerErrorHandler(lambda *ignored: None, None)
        network = libvirt.open("qemu:///system").networkLookupByName("n")
        print("ready", flush=True)
        while True:
            try:
                port = network.portCreateXML(f"<networkport><uuid>{uuid.uuid4()}</uuid><owner><name>late</name><uuid>{uuid.uuid4()}</uuid></owner>"
                                             "<mac address='52:54:00:00:00:99'/></networkport>", 0)
            except libvirt.libvirtError:
                continue
            time.sleep(0.5)
            port.delete()
            break
    """
    late = host.start("/usr/bin/python3", "-c", program, stdout=subprocess.PIPE, text=True)
    assert late.stdout.readline() == "ready\n"
    for size in range(4):
        card.resize(4)
        host.module("passthrough_network", name="n", pf="enp1s0", vlan=size)
        assert host.ports("n") == before
        if late.poll() is not None:
            break
    assert late.wait(10) == 0, "no rebuild left the client a moment to come in"


# Where libvirt's own expansion fails


def test_a_vf_in_another_namespace_leaves_the_others_as_the_pool(host: Host, card):
    card.vf(2).elsewhere()
    host.define(IMPLICIT, start=False)
    assert "Could not get Virtual functions" in host.virsh_error("net-start n")
    for mode in ("passthrough", "hostdev"):
        host.module("passthrough_network", name="n", state="absent")
        result = host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
        assert "VF 2 of PF enp1s0 (0000:01:00.0) is in another network namespace" in result["warnings"][0]
        assert [member["index"] for member in result["network"]["pool"]["members"]] == [0, 1, 3]
        assert not host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)["changed"]


def test_a_vf_that_leaves_and_comes_back_is_followed_with_the_leases_kept(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    before = host.ports("n")
    card.vf(2).elsewhere()
    left = host.module("passthrough_network", name="n", pf="enp1s0")
    assert (members(host), left["network"]["pool"]["kind"]) == (["enp1s0v0", "enp1s0v1", "enp1s0v3"], "explicit")
    card.resize(0).resize(4)
    back = host.module("passthrough_network", name="n", pf="enp1s0")
    assert (len(members(host)), back["network"]["pool"]["kind"]) == (4, "implicit")
    assert host.ports("n") == before


def test_a_gap_in_the_vfs_does_not_end_the_pool(host: Host, card):
    card.remove_vf(1)
    host.define(IMPLICIT)
    assert members(host) == ["enp1s0v0"]
    result = host.module("passthrough_network", name="n", pf="enp1s0")
    assert members(host) == ["enp1s0v0", "enp1s0v2", "enp1s0v3"]
    assert "stop at the first gap" in result["warnings"][0]


def test_a_virtio_pf_gets_an_explicit_pool_and_no_hostdev_network(host: Host):
    host.tree.pf("enp3s0", "0000:03:00.0", vfs=3, virtio=True)
    result = host.module("passthrough_network", name="n", pf="enp3s0")
    assert result["network"]["pool"]["kind"] == "explicit"
    assert len(members(host)) == 3
    assert "virtio" in result["warnings"][0]
    assert "use mode passthrough" in host.refusal("passthrough_network", name="h", pf="enp3s0", mode="hostdev", overlap="warn")


# Traps of libvirt, each first seen with virsh alone


def test_after_virsh_stops_and_starts_a_network_a_held_vf_is_handed_out_again_but_not_after_ours(host: Host, card):
    host.define(IMPLICIT)
    host.port_create("n", "web1", mac="52:54:00:00:00:01")
    host.virsh("net-destroy n")
    host.virsh("net-start n")
    assert host.ports("n") == []
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] == "enp1s0v0"
    card.resize(5)
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert held(host) == ["enp1s0v0"]
    assert host.port_create("n", "web3", mac="52:54:00:00:00:03")["member"] == "enp1s0v1"


def test_a_net_update_destroys_the_counts_and_ours_puts_them_right(host: Host, card):
    host.define(IMPLICIT)
    host.port_create("n", "web1", mac="52:54:00:00:00:01")
    host.virsh("net-update n add-last forward-interface --live", "<interface dev='enp9s0v0'/>")
    assert sum(counts(host).values()) == 0
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] == "enp1s0v0"
    host.port_delete("n", host.ports("n")[1])
    result = host.module("passthrough_network", name="n", pf="enp1s0")
    assert "still has enp9s0v0; libvirt has lost count of its leases on enp1s0v0" in result["actions"][-1]
    (lease,) = host.ports("n")
    assert counts(host) == {f"enp1s0v{index}": int(f"enp1s0v{index}" == lease["member"]) for index in range(4)}


def test_a_reload_of_the_daemon_destroys_the_counts_and_ours_puts_them_right(host: Host, card):
    host.define(IMPLICIT)
    host.port_create("n", "web1", mac="52:54:00:00:00:01")
    host.sighup()
    assert host.port_create("n", "web2", mac="52:54:00:00:00:02")["member"] == "enp1s0v0"
    (network,) = host.module("passthrough_network_info", names=["n"])["networks"]
    assert "lost count" in " ".join(network["pool"]["stale"])


@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_a_member_that_libvirt_counts_below_0_is_given_out_again_after_a_run_that_sees_any_lease(host: Host, card, mode):
    """No document shows such a count by itself; beside a lease, the sum of all of them does."""
    wanted = {"name": "n", "pf": "enp1s0", "mode": mode}
    host.module("passthrough_network", **wanted)
    first, *others = [host.port_create("n", f"web{index}", mac=f"52:54:00:00:00:0{index}") for index in range(3)]
    host.sighup()
    for lease in (first, *others):
        host.port_delete("n", lease)
    assert not host.module("passthrough_network", **wanted)["changed"]
    last = host.port_create("n", "web3", mac="52:54:00:00:00:03")
    assert last["member"] == host.members("n")[3]
    host.virsh_error("net-port-create n /dev/stdin", stdin=ANY)
    assert "libvirt has lost count of its leases on the whole network" in host.module("passthrough_network", **wanted)["actions"][-1]
    again = [host.port_create("n", f"web{index}", mac=f"52:54:00:00:00:0{index}")["member"] for index in range(3)]
    assert [*again, last["member"]] == host.members("n")


def test_a_restart_of_the_daemon_does_not_freeze_an_implicit_pool(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    host.restart_libvirtd()
    assert host.xml("n").find("forward/pf") is None
    result = host.module("passthrough_network", name="n", pf="enp1s0")
    assert (result["changed"], result["network"]["pool"]["kind"]) == (False, "implicit")
    assert "no longer names the PF" in result["network"]["pool"]["stale"][0]
    card.resize(6)
    assert host.module("passthrough_network", name="n", pf="enp1s0")["changed"]
    assert host.xml("n").find("forward/pf").get("dev") == "enp1s0"
    assert held(host) == ["enp1s0v0"]


def test_a_frozen_pool_becomes_implicit_again_without_touching_the_live_network(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    host.restart_libvirtd()
    host.virsh("net-define /dev/stdin", stdin=host.virsh("net-dumpxml n"))
    (frozen,) = host.module("passthrough_network_info", names=["n"])["networks"]
    assert frozen["pool"]["kind"] == "explicit"
    result = host.module("passthrough_network", name="n", pf="enp1s0")
    assert (result["actions"], result["network"]["pool"]["kind"]) == (["change the definition of the network n"], "implicit")
    assert held(host) == ["enp1s0v0"]


@pytest.mark.parametrize("running", [True, False])
def test_an_interface_that_a_net_update_has_hidden_in_the_definition_does_not_become_the_pool(host: Host, card, running):
    """It shows in no document, and takes the place of the PF when the network starts."""
    warm = Warm(host)
    warm.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    before = host.ports("n")
    host.virsh("net-update n add forward-interface --config", "<interface dev='enp1s0v3'/>")
    assert "enp1s0v3" not in host.virsh("net-dumpxml n --inactive")
    if running:
        card.resize(5)
    else:
        host.port_delete("n", before.pop())
        host.virsh("net-destroy n")
    assert len(warm.module("passthrough_network", name="n", pf="enp1s0")["actions"]) == 1
    assert members(host) == [f"enp1s0v{index}" for index in range(5 if running else 4)]
    assert host.ports("n") == before
    assert not warm.module("passthrough_network", name="n", pf="enp1s0")["changed"]


def test_a_run_waits_for_another_and_acts_on_what_it_finds_then(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    host.port_create("n", "web1")
    before = host.ports("n")
    other = host.start("flock", LOCK, "sh", "-c", "echo held; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with ThreadPoolExecutor() as threads:
        run = threads.submit(host.module, "passthrough_network", name="n", pf="enp1s0")
        try:
            assert wait([run], 2).not_done == {run}
            card.resize(6)
            assert len(members(host)) == 4
        finally:
            other.communicate()
    assert run.result()["changed"]
    assert len(members(host)) == 6
    assert host.ports("n") == before


def test_the_daemon_of_networks_alone_serves_too(host: Host, card):
    """It knows no guests, so what they hold cannot be asked for."""
    uri = "network:///system"
    host.module("passthrough_network", name="n", pf="enp1s0", uri=uri)
    taken = host.module("passthrough_port", network="n", owner_name="firewall", owner_uuid="c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a", uri=uri)["port"]
    card.resize(5)
    host.module("passthrough_network", name="n", pf="enp1s0", uri=uri)
    assert held(host) == [taken["plug"]["interface"]]
    (network,) = host.module("passthrough_network_info", uri=uri)["networks"]
    assert network["pool"]["members"][0]["lease"]["owner_name"] == "firewall"
    assert host.module("passthrough_port", network="n", uuid=taken["uuid"], state="absent", uri=uri)["changed"]
