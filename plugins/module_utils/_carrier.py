# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: waiting for a link's carrier, which comes seconds after the link is switched on."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from pathlib import Path

__all__ = ["wait_for_carrier"]

_LINKS = 1  # RTMGRP_LINK of linux/rtnetlink.h: tell of every change of a link
_ANSWER = 65536  # bytes, more than any one message


def wait_for_carrier(interface: str, timeout: float) -> bool:
    """Return whether the interface (its folder in sysfs) has a carrier, waiting up to ``timeout`` seconds for one if its link is on."""
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as changes:
        changes.bind((0, _LINKS))
        while True:
            try:
                if Path(interface, "carrier").read_text(encoding="ascii").strip() == "1":
                    return True
            except OSError:  # EINVAL: the link is switched off
                return False
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([changes], [], [], left)[0]:
                return False
            with contextlib.suppress(OSError):  # ENOBUFS: there were too many changes to tell, so look again
                changes.recv(_ANSWER)
