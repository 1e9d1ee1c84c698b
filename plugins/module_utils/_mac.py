# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: MAC addresses as the kernel and libvirt write them."""

from __future__ import annotations

import re

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["normal_mac"]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def normal_mac(text: str, of: str) -> str:
    """The one spelling of a MAC address that a device may have: lower case, with colons.

    Raises SriovError, with what it is the address ``of``, for anything else.
    """
    mac = text.lower().replace("-", ":")
    if mac.isdecimal():
        raise SriovError(f"mac {mac} of {of} is a number, because YAML reads digits with colons so: write the address in quotes.")
    if not _MAC.fullmatch(mac):
        raise SriovError(f"mac {mac!r} of {of} is no MAC address: write six pairs of hexadecimal digits, such as 52:54:00:12:34:56.")
    if int(mac[:2], 16) & 1:
        raise SriovError(f"mac {mac} of {of} is a multicast address, which no device can have: make its first pair an even number.")
    return mac
