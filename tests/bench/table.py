# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark says: rows of a Markdown table, some with a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Cost", "Row", "interleaved", "table"]


class Row(NamedTuple):
    """One figure. With a ``limit``, a figure above it is a failure."""

    what: str
    figure: float
    unit: str
    limit: float | None = None

    @property
    def failed(self) -> bool:
        return self.limit is not None and self.figure > self.limit

    def cells(self) -> tuple[str, str, str, str]:
        verdict = "" if self.limit is None else "**over**" if self.failed else "ok"
        return self.what, _number(self.figure, self.unit), "" if self.limit is None else f"≤ {_number(self.limit, self.unit)}", verdict


def _number(figure: float, unit: str) -> str:
    digits = 2 if unit == "x" else 0 if figure >= 100 or figure == int(figure) else 1
    return f"{figure:.{digits}f} {unit}"


def table(title: str, rows: list[Row]) -> str:
    """Aligned in a terminal, and Markdown for the documentation."""
    cells = [(title, "measured", "limit", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    lines = [f"| {a:<{widths[0]}} | {b:>{widths[1]}} | {c:>{widths[2]}} | {d:<{widths[3]}} |" for a, b, c, d in cells]
    lines.insert(1, f"| {'-' * widths[0]} | {'-' * (widths[1] - 1)}: | {'-' * (widths[2] - 1)}: | {'-' * max(widths[3], 1)} |")
    return "\n".join(lines)


class Cost(NamedTuple):
    """Seconds that went by, and seconds that processors worked: those count also where the machine has more to do than this."""

    elapsed: float
    worked: float


def interleaved(measure: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """The best of several rounds of each. They take turns, so that what else the machine does meets all of them."""
    best = dict.fromkeys(measure, Cost(float("inf"), float("inf")))
    for _round in range(rounds):
        for name, once in measure.items():
            best[name] = Cost(*map(min, best[name], once()))
    return best
