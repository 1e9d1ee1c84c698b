# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what uses a VF of this host that libvirt would hand out, and is nothing of libvirt's."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import describe_holder, is_active
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._overlap import Devices

__all__ = ["other_users"]


def other_users(devices: Devices, leases: list[dict]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Of ``devices`` without one of ``leases``: who uses each, in words, and why it is not known of others. Those of no use are in neither.

    That is anything but libvirt's ports and running guests, which libvirt itself tells, and not as of a moment ago.
    """
    leased = set(devices.leased(leases))
    sriov = gather(None, frozenset(("min", "usage")))
    reasons = "; ".join(dict.fromkeys(entry["reason"] for entry in sriov["incomplete"] if entry["part"].endswith("used_by")))
    used, unknown = {}, {}
    for vf in [vf for pf in sriov["pfs"] for vf in pf["vfs"] if vf["pci_address"]]:
        for member in devices.shared([vf["pci_address"]]):
            others = [entry for entry in vf["used_by"] or () if entry["kind"] != "libvirt_port" and not _runs(entry)]
            if member not in leased and others:
                used[member] = list(map(describe_holder, others))
            elif member not in leased and vf["used_by"] is None:
                unknown[member] = reasons
    return used, unknown


def _runs(entry: dict) -> bool:
    return entry["kind"] == "libvirt_domain" and is_active(entry)
