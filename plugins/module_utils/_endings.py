# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: signals that end a run, which must not leave things half done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["Ended", "fail_at_endings", "held_back", "to_the_end", "undisturbed"]

_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ended(SriovError):
    """A signal to end came. Whoever goes on after other failures must not go on after this one."""


def fail_at_endings() -> None:
    """From now on a signal to end is a failure, so that what was done is undone."""
    for ending in _ENDINGS:
        signal.signal(ending, _fail)


def _fail(number: int, _frame: object) -> None:
    # Let no second one disturb the undoing.
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise Ended(f"The run was ended by {signal.Signals(number).name}: run it again.")


@contextmanager
def to_the_end() -> Iterator[None]:
    """What is undone, for whatever reason, is undone to the end: a signal to end has no effect meanwhile."""
    before = [signal.signal(ending, signal.SIG_IGN) for ending in _ENDINGS]
    try:
        yield
    finally:
        for ending, handler in zip(_ENDINGS, before):
            signal.signal(ending, handler or signal.SIG_DFL)  # None is one that was not set by Python


@contextmanager
def held_back() -> Iterator[None]:
    """A signal to end waits until this is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def undisturbed(run: Callable[..., Any]) -> Callable[..., Any]:
    """``run`` for commands that must not go on while what they do is undone: a signal to end comes when the command has ended."""

    def run_whole(command: list[str], **options: Any) -> Any:
        with held_back():
            return run(command, handle_exceptions=False, **options)

    return run_whole
