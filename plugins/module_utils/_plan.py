# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a plan is an ordered list of named steps; check mode is the plan without the apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import to_the_end
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["NOTHING", "Plan", "Step"]

NOTHING = "nothing"


class Step(NamedTuple):
    """One change to the host.

    ``undo`` is called when ``do`` itself failed (perhaps half-way) or when a later step did, so it must cope with a
    ``do`` that has done only part of its work. ``None`` means that there is nothing to put back, and ``NOTHING`` from it that it found nothing.

    ``check`` is asked right before each of them, and raises SriovError when it may not be: what the plan was made from
    may have changed since.
    """

    name: str
    do: Callable[[], object]
    undo: Callable[[], object] | None
    check: Callable[[], object] | None = None


class Plan:
    """What is to be done, in order. Making a plan writes nothing."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, name: str, do: Callable[[], object], undo: Callable[[], object] | None = None, check: Callable[[], object] | None = None) -> None:
        """Append a step; ``name`` is what the user reads, such as ``"set the number of VFs of enp1s0 from 0 to 4"``."""
        self.steps.append(Step(name, do, undo, check))

    @property
    def actions(self) -> list[str]:
        return [step.name for step in self.steps]

    @property
    def changed(self) -> bool:
        return bool(self.steps)

    def apply(self) -> None:
        """Do every step; if one fails, undo it and those before it in reverse order, then raise its error.

        Its error comes out as a ``SriovError`` with what was undone, and what could not be, added to its message.
        What is no failure of the step, such as an interruption by the keyboard, is undone in the same way and raised as it is.
        """
        begun: list[Step] = []
        try:
            for step in self.steps:
                if step.check is not None:
                    step.check()
                begun.append(step)
                step.do()
        except BaseException as error:
            with to_the_end():
                outcome = _undo(begun[::-1])
            if isinstance(error, SriovError):
                raise SriovError(str(error) + outcome, **error.result) from error
            if isinstance(error, Exception) and outcome:
                raise SriovError(f"{' '.join(str(error).split()).rstrip('.') or type(error).__name__}.{outcome}") from error
            raise


def _undo(steps: list[Step]) -> str:
    """Put back ``steps`` in the order given and return the words that tell the user how it went."""
    undone, left = [], []
    for step in steps:
        if step.undo is None:
            continue
        try:
            if step.check is not None:
                step.check()
            if step.undo() != NOTHING:
                undone.append(step.name)
        except Exception as error:  # noqa: BLE001  # the remaining steps must still be put back
            left.append(f"{step.name} ({error})")
    words = ""
    if undone:
        words += f" Undone: {'; '.join(undone)}."
    if left:
        words += f" Could not be undone: {'; '.join(left)}."
    return words
