# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our modules on a pool as large as cards have them."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

VFS, LEASES = 256, 64


@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_a_pool_of_256_members_is_rebuilt_with_64_leases(host: Host, mode: str):
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=VFS, offset=128, stride=2)
    warm, options = Warm(host), {"name": "n", "pf": "enp1s0", "mode": mode}
    made = warm.module("passthrough_network", **options)["network"]["pool"]["members"]
    taken = [warm.lease("n", f"web{index}", f"52:54:00:00:00:{index:02x}") for index in range(LEASES + 4)]
    for lease in taken[:8:2]:
        warm.release("n", lease["port"])
    before = warm.ledger("n")
    with Cut(host) as whole:
        assert "keeping 64 leases" in str(warm.module("passthrough_network", **options, vlan=7, uri=URI)["actions"])
    assert warm.ledger("n") == before and not warm.module("passthrough_network", **options, vlan=7)["changed"]
    # Each lease is put back by one call, and read by another for the result.
    with Cut(host, whole.calls - LEASES * 5 // 3) as cut:
        assert warm.attempt("passthrough_network", **options, vlan=8, uri=URI) is None
    assert cut.fallen and 0 < len(warm.ledger("n")["leases"]) < LEASES
    shown = warm.module("passthrough_network", **options, vlan=8)["network"]["pool"]["members"]
    assert warm.ledger("n") == before
    assert [{**member, "lease": None} for member in shown] == made and sum(member["lease"] is not None for member in shown) == LEASES
    port = warm.module("passthrough_port", network="n", owner_name="fw", owner_uuid="c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a")["port"]
    assert (port["plug"].get("interface") or port["plug"]["address"]) == taken[0]["member"]
