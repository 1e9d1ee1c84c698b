# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consumers of `passthrough_port` that take their VF away: a container into its namespace, a DPDK process to a driver for user space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, ROUTER, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Function

POOLS: list[dict[str, Any]] = [
    {"pf": "enp1s0"},
    {"pf": "enp1s0", "vfs": "0-3"},
    {"pf": "enp1s0", "mode": "hostdev"},
    {"interfaces": ["enp1s0v0", "enp1s0v1", "enp1s0v2", "enp1s0v3"]},
]


@pytest.fixture
def warm(host: Host) -> Warm:
    return Warm(host)


def into_a_namespace(vf: Function) -> None:
    vf.elsewhere()


def to_dpdk(vf: Function) -> None:
    vf.nameless().bound_to("vfio-pci")


@pytest.mark.parametrize("take_away", [into_a_namespace, to_dpdk])
@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_a_second_run_changes_nothing_while_a_consumer_has_its_vf(card: PF, warm: Warm, pool: dict, take_away: Callable[[Function], None]) -> None:
    warm.module("passthrough_network", name="n", **pool)
    for consumer in (FIREWALL, ROUTER):
        warm.module("passthrough_port", **consumer)
    for index in (0, 1):
        take_away(card.vf(index))
    again = warm.module("passthrough_network", name="n", **pool)
    assert (again["changed"], again["actions"]) == (False, [])
    assert [member["index"] for member in again["network"]["pool"]["members"] if member["lease"]] == [0, 1]
    assert again["network"]["pool"]["surplus"] == []
    (told,) = warm.module("passthrough_network_info", names=["n"])["networks"]
    assert (told["pool"]["stale"], told["pool"]["surplus"]) == ([], [])
    free = warm.module("passthrough_port", network="n", owner_name="third", owner_uuid="e4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a")["port"]["plug"]
    assert free.get("interface", free.get("address")) in (card.vf(2).name, card.vf(2).address)


@pytest.mark.parametrize("take_away", [into_a_namespace, to_dpdk])
def test_what_needs_a_rebuild_waits_for_a_consumer_that_has_taken_its_vf_away(
    host: Host, card: PF, warm: Warm, take_away: Callable[[Function], None]
) -> None:
    warm.module("passthrough_network", name="n", pf="enp1s0")
    warm.module("passthrough_port", **FIREWALL)
    take_away(card.vf(0))
    before = warm.ledger("n")
    for check in (True, False):
        assert "firewall holds enp1s0v0" in warm.refusal("passthrough_network", name="n", pf="enp1s0", vlan=7, _ansible_check_mode=check)
    assert warm.ledger("n") == before


def test_what_only_the_pool_with_lent_vfs_would_share_is_no_reason_against_the_pool_without_them(host: Host, card: PF, warm: Warm) -> None:
    warm.module("passthrough_network", name="n", pf="enp1s0")
    warm.module("passthrough_port", **FIREWALL)
    into_a_namespace(card.vf(0))
    host.define("<network><name>m</name><forward mode='passthrough'><interface dev='enp1s0v0'/></forward></network>")
    host.virsh("net-autostart m")
    forced = warm.module("passthrough_network", name="n", pf="enp1s0", vlan=7, on_in_use="force")
    assert "taking away firewall holds enp1s0v0" in forced["actions"][-1]
    assert [member["interface"] for member in forced["network"]["pool"]["members"]] == ["enp1s0v1", "enp1s0v2", "enp1s0v3"]


def test_a_vf_that_is_gone_for_good_is_no_vf_that_a_consumer_took_away(card: PF, warm: Warm) -> None:
    warm.module("passthrough_network", name="n", pf="enp1s0")
    warm.module("passthrough_port", **FIREWALL)
    card.remove_vf(0)
    assert "firewall holds enp1s0v0" in warm.refusal("passthrough_network", name="n", pf="enp1s0")


def test_a_free_vf_that_went_away_leaves_the_pool_though_another_is_lent(card: PF, warm: Warm) -> None:
    warm.module("passthrough_network", name="n", pf="enp1s0", vfs="0-3")
    warm.module("passthrough_port", **FIREWALL)
    card.vf(3).nameless().bound_to("vfio-pci")
    again = warm.module("passthrough_network", name="n", pf="enp1s0", vfs="0-3")
    assert [member["interface"] for member in again["network"]["pool"]["members"]] == ["enp1s0v0", "enp1s0v1", "enp1s0v2"]
