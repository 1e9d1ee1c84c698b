# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While a network is rebuilt libvirt's ledger lacks leases, and after a rebuild that was cut short until the next run: the facts do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

NETWORK = {"name": "n", "pf": "enp1s0"}
HELD = {"kind": "libvirt_port", "name": "firewall", "uuid": FIREWALL["owner_uuid"], "network": "n"}


def facts(host: Host) -> dict:
    return host.module("sriov_vf_facts")["ansible_facts"]["sriov"]


def runs(host: Host) -> bool:
    return "n" in host.virsh("net-list --name").split()


@pytest.fixture
def record(host: Host, card: PF) -> Path:
    """Of a rebuild that was killed when libvirt had forgotten every lease."""
    warm = Warm(host)
    warm.module("passthrough_network", **NETWORK)
    warm.module("passthrough_port", **FIREWALL)
    path = host.root / "run/vfpool.sriov/network-n.rebuild"
    for at in range(100):
        warm.module("passthrough_network", **NETWORK)  # finishes what the last one left, so that each makes the same calls
        with Cut(host, at, answered=True):
            warm.attempt("passthrough_network", **NETWORK, vlan=7, uri=URI)
        if path.exists() and not runs(host):
            return path
    raise AssertionError("no rebuild stops the network")


def test_what_an_interrupted_rebuild_is_to_put_back_is_held(host: Host, record: Path):
    assert [vf["used_by"] for vf in facts(host)["pfs"][0]["vfs"]][:2] == [[HELD], []]


def test_the_record_of_another_daemons_network_holds_nothing_here(host: Host, record: Path):
    record.rename(record.with_name("network-n%20at%20kvm2%2Fsystem.rebuild"))
    assert facts(host)["pfs"][0]["vfs"][0]["used_by"] == []


def test_with_a_record_that_cannot_be_read_no_vf_is_known_to_be_free(host: Host, record: Path):
    for text in ("", "null\n", "{}\n", '{"xml": "<network/>", "leases": ["web1"]}\nstopped\n', '{"xml": 1, "leases": []}\n'):
        record.write_text(text)
        sriov = facts(host)
        assert sriov["pfs"][0]["vfs"][0]["used_by"] is None
        assert any(entry["reason"].startswith("the leases on record in /run/vfpool.sriov cannot be read: ") for entry in sriov["incomplete"])


def test_at_no_moment_of_a_rebuild_a_leased_vf_is_called_free(host: Host, card: PF):
    warm, other = Warm(host), Warm(host)
    warm.module("passthrough_network", **NETWORK)
    warm.module("passthrough_port", **FIREWALL)
    seen: list[object] = []
    forgotten = 0

    def look(_pid: int) -> None:
        nonlocal forgotten
        forgotten += not (runs(host) and host.ports("n"))
        seen.append(other.module("sriov_vf_facts")["ansible_facts"]["sriov"]["pfs"][0]["vfs"][0]["used_by"])

    for at in range(100):
        with Cut(host, at, fall=look, goes_on=True) as cut:
            warm.module("passthrough_network", **NETWORK, vlan=at + 1, uri=URI)
        if not cut.fallen:
            break
    assert seen == [[HELD]] * len(seen)
    assert forgotten > 1
