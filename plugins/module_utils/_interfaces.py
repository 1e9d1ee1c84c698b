# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the network interfaces of one PCI function.

Source: Documentation/ABI/testing/sysfs-class-net of the Linux kernel; virtio keeps them one level deeper, on a device of its own.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from ansible_collections.vfpool.sriov.plugins.module_utils._pci import function_below
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["FOR_USER_SPACE", "function_of", "has_interface", "interfaces_of", "is_infiniband", "is_network_card", "is_vfio"]

# Drivers that hand a VF to user space: it has no network interface, and none will come.
FOR_USER_SPACE = ("*vfio*", "uio*", "igb_uio*", "pci-stub*", "pciback*")


def interfaces_of(address: str, sysfs: Sysfs) -> list[str] | None:
    """The interfaces of the function at ``address`` in this network namespace.

    An empty list means that its driver made one, which was moved to another namespace; None, that no driver made any.
    """
    base = f"bus/pci/devices/{address}"
    names = sysfs.names(f"{base}/net")
    if names is None:
        deeper = (sysfs.names(f"{base}/{entry}/net") for entry in sysfs.names(base) or () if entry.startswith("virtio"))
        return next((names for names in deeper if names is not None), None)
    return names


def function_of(interface: str, sysfs: Sysfs) -> str | None:
    """The PCI address of the function that an interface of this network namespace stands on; None where it stands on none."""
    return function_below(sysfs.place(f"class/net/{interface}") or "")


def is_network_card(address: str, sysfs: Sysfs) -> bool:
    """Whether the function at ``address`` is a network controller, rather than of another class of PCI devices (a disk, an accelerator).

    One of unknown class may be, so that nothing of it is taken for missing by nature. Raises OSError.
    """
    return (sysfs.text(f"bus/pci/devices/{address}/class") or "0x02").startswith("0x02")


def is_infiniband(address: str, sysfs: Sysfs) -> bool:
    """Whether the function at ``address`` is one of InfiniBand, which has an interface only where ib_ipoib makes one. Raises OSError."""
    return (sysfs.text(f"bus/pci/devices/{address}/class") or "").startswith("0x0207")


def has_interface(driver: str) -> bool:
    """Whether a driver of a network card makes a network interface, rather than to hand the device to user space."""
    return not any(fnmatchcase(driver, pattern) for pattern in FOR_USER_SPACE)


def is_vfio(driver: str | None) -> bool:
    """Whether a driver hands a device to user space by VFIO: vfio-pci, or a card's own such as mlx5_vfio_pci."""
    return driver is not None and "vfio" in driver
