# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that the other tests use is a host of its own."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.tests.integration.host import Host

POOL = "<network><name>pool</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"


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
    assert host.virsh("net-list --all") == ""
    assert host.run("ls", "/sys/class/net").stdout == ""


def test_a_module_runs_as_ansible_runs_it(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    facts = host.module("sriov_vf_facts")["ansible_facts"]["sriov"]
    assert [vf["name"] for vf in facts["pfs"][0]["vfs"]] == ["enp1s0v0", "enp1s0v1", "enp1s0v2", "enp1s0v3"]
    assert host.module("sriov_vf_facts", check=True, diff=False)["changed"] is False
