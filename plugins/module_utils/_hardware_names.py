# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: vendor and model of PCI functions in words, from udev's hardware database."""

from __future__ import annotations

from typing import Any

__all__ = ["HardwareNames", "NamesUnknown"]


class NamesUnknown(Exception):
    """The names cannot be looked up; the message is the reason."""


class HardwareNames:
    """Raises NamesUnknown without udev, and when this Python has no pyudev (imported only here: it takes longer than all of sysfs)."""

    def __init__(self, udev: str | None) -> None:
        if udev is None:
            raise NamesUnknown("there is no udev for this tree")
        try:
            import pyudev
        except ImportError as error:
            raise NamesUnknown("the Python library pyudev is missing (install python3-pyudev)") from error
        self._pyudev: Any = pyudev
        self._context = pyudev.Context()

    def of(self, address: str) -> tuple[str | None, str | None]:
        """Vendor and model of a PCI function; None for what the database does not know. Raises NamesUnknown."""
        try:
            device = self._pyudev.Devices.from_name(self._context, "pci", address)
        except self._pyudev.DeviceNotFoundError as error:
            raise NamesUnknown(f"udev knows no PCI device {address}") from error
        if not device.is_initialized:
            raise NamesUnknown("udev has not looked the device up")
        return device.properties.get("ID_VENDOR_FROM_DATABASE"), device.properties.get("ID_MODEL_FROM_DATABASE")
