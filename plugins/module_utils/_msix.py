# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: how many MSI-X vectors a PCI function has, from its configuration space.

The count is the table size of the MSI-X capability (PCI Local Bus Specification 3.0, 6.8.2), which is what the kernel
changes through `sriov_vf_msix_count`; that file itself can only be written.
"""

from __future__ import annotations

import errno
import os

__all__ = ["msix_count"]

_STATUS, _HAS_CAPABILITIES, _FIRST_CAPABILITY = 0x06, 0x10, 0x34
_MSIX, _TABLE_SIZE = 0x11, 0x07FF
# A function has at most this many capabilities: each takes four bytes between 0x40 and 0xff.
_MOST_CAPABILITIES = 48


def msix_count(config: str) -> int | None:
    """The MSI-X vectors of the function whose configuration space is the file ``config``; None where it has no MSI-X, or no such file.

    Raises OSError when the file cannot be read, also where only root may see the capabilities, or the device does not answer.
    Reads a few bytes only: each goes to the device.
    """
    try:
        fd = os.open(config, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if not _bytes(fd, _STATUS, 1)[0] & _HAS_CAPABILITIES:
            return None
        position = _bytes(fd, _FIRST_CAPABILITY, 1)[0]
        for _step in range(_MOST_CAPABILITIES):
            if position < 0x40:
                return None
            capability, position_of_next, low, high = _bytes(fd, position & 0xFC, 4)
            if capability == _MSIX:
                return ((high << 8 | low) & _TABLE_SIZE) + 1
            position = position_of_next
        raise OSError(errno.EIO, "the device does not answer")
    finally:
        os.close(fd)


def _bytes(fd: int, position: int, count: int) -> bytes:
    read = os.pread(fd, count, position)
    if len(read) < count:
        raise PermissionError(errno.EACCES, "only root may read the capabilities")
    if read == b"\xff" * count:
        raise OSError(errno.EIO, "the device does not answer")
    return read
