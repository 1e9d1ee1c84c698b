# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document of mode bridge that names a bridge of the host: it has no pool, and its guests have leases all the same."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm


def document(rest: str = "", bridge: str = "br0") -> dict:
    return {"name": "n", "xml": f"<network><name>n</name><forward mode='bridge'/><bridge name='{bridge}'/>{rest}</network>"}


@pytest.fixture
def warm(host: Host) -> Warm:
    for bridge in ("br0", "br1"):
        host.run("ip", "link", "add", bridge, "type", "bridge")
    warm = Warm(host)
    warm.module("passthrough_network", **document())
    for index in (1, 2):
        warm.lease("n", f"web{index}", f"52:54:00:00:00:0{index}")
    return warm


def test_a_network_of_a_bridge_is_rebuilt_with_its_leases(host: Host, warm: Warm):
    before = warm.ledger("n")
    host.sighup()
    assert "lost count" in str(warm.module("passthrough_network", **document())["actions"])
    assert not warm.module("passthrough_network", **document())["changed"]
    foretold = warm.module("passthrough_network", **document("<portgroup name='g'/>"), on_in_use="force", _ansible_check_mode=True)
    changed = warm.module("passthrough_network", **document("<portgroup name='g'/>"), on_in_use="force")
    assert changed["actions"] == foretold["actions"]
    assert "keeping 2 leases" in str(changed["actions"])
    assert warm.ledger("n") == before
    (shown,) = warm.module("passthrough_network_info", names=["n"])["networks"]
    assert [lease["owner_name"] for lease in shown["pool"]["leases"]] == ["web1", "web2"]


POOL = {"name": "n", "xml": "<network><name>n</name><forward mode='bridge'><interface dev='enp1s0v0'/></forward></network>"}


@pytest.mark.parametrize("change", [document(bridge="br1"), POOL])
def test_another_bridge_or_a_pool_in_its_place_takes_what_guests_hold(host: Host, warm: Warm, change: dict):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    before = warm.ledger("n")
    refused = warm.attempt("passthrough_network", **change)
    assert refused and "lacks what guests hold (web1 holds br0, web2 holds br0)" in refused["msg"]
    assert warm.ledger("n") == before


def test_a_bridge_in_place_of_a_pool_takes_what_guests_hold(host: Host, warm: Warm):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    warm.module("passthrough_network", **POOL, on_in_use="force")
    warm.lease("n", "web1", "52:54:00:00:00:01")
    refused = warm.attempt("passthrough_network", **document())
    assert refused and "lacks what guests hold (web1 holds enp1s0v0)" in refused["msg"]


def test_a_killed_rebuild_of_a_bridge_is_finished_with_its_leases(host: Host, warm: Warm):
    before, unfinished = warm.ledger("n"), 0
    for number in range(200):
        with Cut(host, number) as cut:
            warm.attempt("passthrough_network", **document(f"<portgroup name='g{number}'/>"), uri=URI)
        unfinished += warm.ledger("n") != before
        warm.module("passthrough_network", **document(f"<portgroup name='h{number}'/>"))
        assert warm.ledger("n") == before
        if not cut.fallen:
            break
    assert unfinished >= 3


def test_two_networks_of_one_bridge_share_no_vf(host: Host, warm: Warm):
    warm.module("passthrough_network", **{**document(), "name": "m", "xml": document()["xml"].replace("<name>n<", "<name>m<")})
    port = warm.module("passthrough_port", network="n", owner_name="fw", owner_uuid="c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a")["port"]
    assert port["plug"]["interface"] == "br0"
