# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the VFs of a PF that a pool is made of (pure)."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges

__all__ = ["pool_vfs"]


def pool_vfs(pf: dict, vfs: str | None = None) -> list[dict]:
    """The VFs of ``pf`` in index order, all of them or those in the range ``vfs``.

    Raises SriovError for a malformed range and for an index that the PF does not have.
    """
    by_index = {vf["index"]: vf for vf in pf["vfs"]}
    if vfs is None:
        return [by_index[index] for index in sorted(by_index)]
    wanted = parse_ranges(vfs)
    absent = [index for index in wanted if index not in by_index]
    if absent:
        has = f"has the VFs {format_ranges(by_index)}" if by_index else "has no VFs"
        raise SriovError(f"vfs {vfs!r} names VF {format_ranges(absent)}, but {describe_pf(pf)} {has}: name only those, or make more VFs first.")
    return [by_index[index] for index in wanted]
