# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the exceptions that its code raises on purpose."""

from __future__ import annotations

__all__ = ["SriovError", "Unreadable"]


class SriovError(Exception):
    """Something a user can put right: the message is one sentence of what is wrong, where, and what to do.

    Keyword arguments become return values of the failed module, beside ``msg``.
    """

    def __init__(self, message: str, **result: object) -> None:
        super().__init__(message)
        self.result = result


class Unreadable(Exception):
    """Something that is asked for cannot be had; the message is the reason, as it stands in `incomplete` of the facts."""
