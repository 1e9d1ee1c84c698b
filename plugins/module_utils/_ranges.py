# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: VF indices as text, ``0-3,6``."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["format_ranges"]


def format_ranges(indices: Iterable[int]) -> str:
    """The shortest text that ``parse_ranges`` reads back as ``indices``."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
