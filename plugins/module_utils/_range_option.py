# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: VF indices as users write them, ``0-3,6``."""

from __future__ import annotations

import re

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["parse_ranges"]

# No kernel gives a PF more VFs than this: NumVFs is a 16 bit register (PCI Express Base, SR-IOV capability).
_MOST_VFS = 0xFFFF
_PART = re.compile(r"\s*(\d{1,99})\s*(?:-\s*(\d{1,99})\s*)?", re.ASCII)


def parse_ranges(text: str | int, option: str = "vfs") -> list[int]:
    """The VF indices that ``text`` names, in ascending order: ``"0-2,6"`` gives ``[0, 1, 2, 6]``.

    ``option`` is the name of the user's option in the message of the SriovError that is raised
    when ``text`` is malformed, runs backwards or names an index twice.
    """
    indices: set[int] = set()
    for part in str(text).split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise SriovError(f"{option} {text!r} is no range of VF indices: write single indices and first-last, such as 0-3,6.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > _MOST_VFS:
            raise SriovError(f"{option} {text!r} names VF {last}, but no PF has more than {_MOST_VFS} VFs: write a smaller index.")
        if last < first:
            raise SriovError(f"{option} {text!r} runs backwards in {part.strip()!r}: write the lower index first.")
        twice = indices.intersection(range(first, last + 1))
        if twice:
            raise SriovError(f"{option} {text!r} names VF {min(twice)} twice: name each index once.")
        indices.update(range(first, last + 1))
    return sorted(indices)
