# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In check mode nothing is written, so no VFs were made before the network's turn: what follows them is shown all the same, with a warning."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.tests.integration.host import Host


def test_check_mode_shows_the_network_of_a_pf_that_has_no_vfs_yet(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=0, total=7)
    planned = host.module("passthrough_network", check=True, name="n", pf="enp1s0")
    assert planned["actions"] == ["define the network n", "switch on autostart of the network n", "start the network n"]
    assert "<pf dev='enp1s0'/>" in planned["diff"]["after"]
    assert "The PF enp1s0 (0000:01:00.0) has no VFs" in planned["warnings"][0]
    assert host.virsh("net-list --all --name").strip() == ""
    assert "has no VFs" in host.refusal("passthrough_network", name="n", pf="enp1s0")


def test_check_mode_invents_no_names_for_vfs_that_are_not_there_yet(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2, total=7)
    planned = host.module("passthrough_network", check=True, name="n", pf="enp1s0", vfs="0-3")
    assert planned["actions"] == ["bring the network n to its state, once its VFs are there"]
    assert "names VF 2-3" in planned["warnings"][0]
    assert (planned["network"], planned["diff"]) == (None, {"before": "", "after": ""})


def test_check_mode_shows_the_network_as_it_is_where_its_new_vfs_are_not_there_yet(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2, total=7)
    made = host.module("passthrough_network", name="n", pf="enp1s0", vfs="0-1")
    planned = host.module("passthrough_network", check=True, name="n", pf="enp1s0", vfs="0-3")
    assert (planned["changed"], planned["network"]) == (True, made["network"])


def test_check_mode_refuses_a_vf_that_the_card_can_never_have(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2, total=7)
    assert "names VF 7" in host.refusal("passthrough_network", check=True, name="n", pf="enp1s0", vfs="7")


def test_check_mode_leaves_not_even_a_lock_behind(host: Host):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    host.module("passthrough_network", check=True, name="n", pf="enp1s0")
    assert host.run("test", "-e", "/run/vfpool.sriov", check=False).returncode == 1
