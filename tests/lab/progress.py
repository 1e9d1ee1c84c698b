# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a person where a long job stands: one line per step, with the seconds since the beginning."""

from __future__ import annotations

import sys
import time

__all__ = ["LabError", "say"]

_BEGAN = time.monotonic()


class LabError(Exception):
    """The laboratory cannot do what was asked for; the message says why and what to do."""


def say(text: str) -> None:
    """Print ``text`` to standard error, so that standard output carries results alone."""
    print(f"[{time.monotonic() - _BEGAN:4.0f} s] {text}", file=sys.stderr, flush=True)
