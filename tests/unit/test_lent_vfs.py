# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VF a consumer took away is told by the order of the pool, or not at all."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._lent_vfs import lend_names


def lent(names: list[str | None], pool: list[str], leased: str) -> list[str | None]:
    """What the VFs of a PF are called, whose interfaces have these names now, beside a network that has this pool and lease."""
    vfs = [{"index": index, "name": name, "pci_address": f"0000:01:10.{index}"} for index, name in enumerate(names)]
    xml = "".join(f"<interface dev='{member}'/>" for member in pool)
    network = {"xml": f"<network><forward mode='passthrough'>{xml}</forward></network>", "leases": [{"plug": {"interface": leased}}]}
    return [vf["name"] for pf in lend_names([{"name": "pf", "vfs": vfs}], network)[0] for vf in pf["vfs"]]


@pytest.mark.parametrize("leased", ["v0", "v1", "v3"])
def test_a_leased_vf_has_its_former_name_where_as_many_are_missing_as_have_none(leased: str) -> None:
    names = ["v0", "v1", "v2", "v3"]
    now = [None if name == leased else name for name in names]
    assert lent(now, names, leased) == names


@pytest.mark.parametrize("leased", ["v1", "v2"])
def test_it_has_none_where_one_more_vf_has_lost_its_interface_than_the_pool_lacks(leased: str) -> None:
    """One of the two was never in the pool, and nothing tells which."""
    assert lent(["v0", None, None, "v3"], ["v0", leased, "v3"], leased) == ["v0", None, None, "v3"]


def test_it_has_none_where_a_member_is_missing_for_which_there_is_no_vf() -> None:
    assert lent(["v0", None, "v3"], ["v0", "v1", "v2", "v3"], "v1") == ["v0", None, "v3"]
