# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the device files by which a process can drive a PCI function whose kernel driver stays in place.

These are RDMA's verbs, as DPDK uses them on Mellanox cards, and vDPA. Sources: drivers/infiniband/core/uverbs_main.c and
drivers/vhost/vdpa.c of the Linux kernel.
"""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._pci import function_in
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["device_files"]

_VERBS, _VDPA = "class/infiniband_verbs", "bus/vdpa/devices"


def device_files(sysfs: Sysfs) -> dict[str, list[str]]:
    """PCI address to the device files of the function; two system calls on a host that has none. Raises OSError."""
    devices = [(f"{_VERBS}/{name}", [f"/dev/infiniband/{name}"]) for name in sysfs.names(_VERBS) or () if name.startswith("uverbs")]
    for device in [f"{_VDPA}/{name}" for name in sysfs.names(_VDPA) or ()]:
        devices.append((device, [f"/dev/{name}" for name in sysfs.names(device) or () if name.startswith("vhost-vdpa-")]))
    found: dict[str, list[str]] = {}
    for device, files in devices:
        address = function_in(sysfs.link(device) or "")
        if address is not None:  # a device that stands on hardware
            found.setdefault(address, []).extend(files)
    return found
