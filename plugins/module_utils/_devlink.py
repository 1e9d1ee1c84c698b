# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the mode of a PF's embedded switch, through ``devlink -j``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Start, ask
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable

__all__ = ["ask_eswitch_mode"]

# ENODEV: the driver does not know devlink; EOPNOTSUPP: it has no such switch; the last: the kernel does not know devlink.
_NO_SWITCH = ("No such device", "Operation not supported", "Failed to connect to devlink")


def ask_eswitch_mode(address: str, start: Start) -> Callable[[], str | None]:
    """Ask for the mode of a PF's switch; what comes back waits for the answer.

    That is ``legacy`` or ``switchdev``, or None where the PF has no switch whose mode could be chosen: a driver that knows devlink and has none
    is told without a mode (devlink_nl_eswitch_fill() of net/devlink/dev.c).
    """
    device = f"pci/{address}"
    return partial(_mode, ask(["devlink", "-j", "dev", "eswitch", "show", device], start, lambda said: said["dev"][device].get("mode")))


def _mode(asked: Callable[[], str | None]) -> str | None:
    try:
        return asked()
    except Unreadable as error:
        if any(words in str(error) for words in _NO_SWITCH):
            return None
        raise
