# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: vendor and model of PCI functions in words, from udev's hardware database."""

from __future__ import annotations

import os

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable

__all__ = ["hardware_names"]


def hardware_names(address: str, udev: str | None) -> tuple[str | None, str | None]:
    """Vendor and model of a PCI function; None for what the database does not know. Raises Unreadable.

    udev looked both up when it met the device, and keeps them below ``udev`` (/run/udev). pyudev would read the same file,
    and its import takes longer than everything else here.
    """
    if udev is None or not os.path.exists(f"{udev}/control"):
        raise Unreadable("udev, which keeps the hardware database, is not running")
    try:
        with open(f"{udev}/data/+pci:{address}", encoding="utf-8") as kept:
            properties = dict(line.rstrip("\n").partition("=")[::2] for line in kept)
    except OSError as error:
        raise Unreadable(f"udev has not looked the device up: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable(f"what udev keeps of the device is no text: {error}") from error
    return properties.get("E:ID_VENDOR_FROM_DATABASE"), properties.get("E:ID_MODEL_FROM_DATABASE")
