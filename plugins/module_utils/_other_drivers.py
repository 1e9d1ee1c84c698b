# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: RDMA's verbs, as DPDK uses them on Mellanox cards, and vDPA, by which a PCI function is driven whose own driver stays in place.

Sources: drivers/infiniband/core/uverbs_main.c, drivers/vhost/vdpa.c and drivers/virtio/virtio_vdpa.c of the Linux kernel.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, holder
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import function_in
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["other_drivers"]

_VERBS, _VDPA = "class/infiniband_verbs", "bus/vdpa/devices"


class OtherDrivers(NamedTuple):
    """``files``: by PCI address those that a process opens to drive the function. ``claims`` of the kernel itself, where it drives a vDPA device."""

    files: dict[str, list[str]]
    claims: list[Claim]


def other_drivers(sysfs: Sysfs) -> OtherDrivers:
    """Two system calls on a host that has neither verbs nor vDPA. Raises OSError."""
    found = OtherDrivers({}, [])
    for name in sysfs.names(_VERBS) or ():
        address = _function(f"{_VERBS}/{name}", sysfs) if name.startswith("uverbs") else None
        if address is not None:
            found.files.setdefault(address, []).append(f"/dev/infiniband/{name}")
    for name in sysfs.names(_VDPA) or ():
        address = _function(f"{_VDPA}/{name}", sysfs)
        if address is None:
            continue
        found.files.setdefault(address, []).extend(f"/dev/{file}" for file in sysfs.names(f"{_VDPA}/{name}") or () if file.startswith("vhost-vdpa-"))
        if sysfs.link_name(f"{_VDPA}/{name}/driver") not in (None, "vhost_vdpa"):
            found.claims.append(Claim(address, holder("host", name)))
    return found


def _function(device: str, sysfs: Sysfs) -> str | None:
    """The PCI function that a device stands on, None of a simulated one."""
    return function_in(sysfs.link(device) or "")
