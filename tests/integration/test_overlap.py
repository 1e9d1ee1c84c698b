# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two networks never hand out the same VF, under whatever name it stands in their pools."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor, wait

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

LOCK = "/run/vfpool.sriov/libvirt-system.lock"


def test_an_overlap_is_refused_under_every_name_of_a_vf(host: Host, card):
    host.module("passthrough_network", name="first", pf="enp1s0", vfs="0-1")
    for options in ({"pf": "enp1s0"}, {"interfaces": ["enp1s0v1"]}, {"mode": "hostdev", "addresses": ["0000:01:10.2"]}, {"mode": "hostdev", "pf": "enp1s0"}):
        assert "first hands out" in host.refusal("passthrough_network", name="second", **options)
    assert host.virsh("net-list --all --name") == "first"
    host.module("passthrough_network", name="second", pf="enp1s0", vfs="2-3")
    result = host.module("passthrough_network", name="third", interfaces=["enp1s0v1"], overlap="warn")
    assert "first hands out enp1s0v1" in result["warnings"][0]


def test_a_network_that_does_not_run_hands_out_what_it_will_after_the_next_boot(host: Host, card):
    host.define("<network><name>first</name><forward mode='passthrough'><interface dev='enp1s0v1'/></forward></network>", start=False)
    assert not host.module("passthrough_network", name="n", pf="enp1s0").get("warnings")
    host.module("passthrough_network", name="n", state="absent")
    host.virsh("net-autostart first")
    assert "first hands out enp1s0v1" in host.refusal("passthrough_network", name="n", pf="enp1s0")


def test_an_overlap_with_what_another_network_hands_out_only_as_long_as_it_runs_is_refused(host: Host, card):
    host.module("passthrough_network", name="first", pf="enp1s0", vfs="0-1")
    host.port_create("first", "web1")
    host.module("passthrough_network", name="first", pf="enp1s0", vfs="1", refresh="never")
    assert "first hands out enp1s0v0" in host.refusal("passthrough_network", name="second", pf="enp1s0", vfs="0")


def test_an_overlap_is_found_under_a_second_interface_of_the_same_vf(host: Host, card):
    host.module("passthrough_network", name="first", mode="hostdev", addresses=["0000:01:10.0"])
    card.vf(0).named("enp1s0v0d1", dev_port=1)
    assert "first hands out enp1s0v0d1" in host.refusal("passthrough_network", name="second", interfaces=["enp1s0v0d1"])


def test_a_network_that_neither_runs_nor_starts_by_itself_overlaps_nothing(host: Host, card):
    host.module("passthrough_network", name="spare", pf="enp1s0", active=False, autostart=False)
    host.module("passthrough_network", name="n", pf="enp1s0", mode="hostdev")


def test_two_runs_at_once_never_make_two_networks_of_the_same_vfs(host: Host, card):
    (host.root / LOCK.lstrip("/")).parent.mkdir()
    other = host.start("flock", LOCK, "sh", "-c", "echo held; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(Warm(host).attempt, "passthrough_network", name=name, pf="enp1s0") for name in ("first", "second")]
        try:
            assert wait(runs, 1).done == set()
        finally:
            other.communicate()
    refused = [result["msg"] for result in (run.result() or {} for run in runs) if result.get("failed")]
    assert len(refused) == 1
    made = host.virsh("net-list --all --name")
    assert made in {"first", "second"}
    assert f"{made} hands out enp1s0v0" in refused[0]


def test_a_network_whose_document_libvirt_itself_could_not_read_again_is_named(host: Host, card):
    """It does not escape the name of a port profile."""
    profile = "<virtualport type='802.1Qbh'><parameters profileid='R&amp;D'/></virtualport>"
    host.define(f"<network><name>odd</name><forward mode='passthrough'><pf dev='enp1s0'/></forward>{profile}</network>", start=False)
    host.virsh("net-autostart odd")
    for module, options in (("passthrough_network_info", {}), ("passthrough_network", {"name": "n", "pf": "enp1s0"})):
        assert "libvirt's own XML of the network odd is not well-formed" in host.refusal(module, **options)
    host.virsh("net-undefine odd")
    assert host.module("passthrough_network", name="n", pf="enp1s0")["changed"]
