# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: two questions to an interface's driver that only ethtool's ioctl answers on every kernel."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct

__all__ = ["bus_info", "permanent_mac"]

# linux/sockios.h, linux/ethtool.h
_SIOCETHTOOL, _GDRVINFO, _GPERMADDR = 0x8946, 0x03, 0x20
_LONGEST_ADDRESS = 32


def bus_info(name: str) -> str | None:
    """The PCI address that an interface stands on, or None; asked in the network namespace of this thread. Raises OSError."""
    answer = _ask(name, struct.pack("I192x", _GDRVINFO))
    return answer[100:132].split(b"\0")[0].decode("ascii", "replace") or None


def permanent_mac(name: str) -> str | None:
    """The MAC address that the hardware came with, or None where its driver knows none. Raises OSError."""
    answer = _ask(name, struct.pack(f"II{_LONGEST_ADDRESS}x", _GPERMADDR, _LONGEST_ADDRESS))
    (size,) = struct.unpack_from("I", answer, 4)
    address = answer[8 : 8 + size]
    return ":".join(f"{byte:02x}" for byte in address) if any(address) else None


def _ask(name: str, request: bytes) -> bytes:
    answer = array.array("B", request)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SIOCETHTOOL, struct.pack("16sP", os.fsencode(name), answer.buffer_info()[0]))
    return bytes(answer)
