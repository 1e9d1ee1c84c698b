# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which active networks hand out the VFs of a PF, so that their pools go stale with these."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, pool_of

__all__ = ["dependent_networks"]


def dependent_networks(pf: dict[str, Any]) -> list[dict[str, Any]]:
    """Each of them as an entry of `affected`. A host whose libvirt does not answer has no active network that could be named."""
    devices = {vf[key] for vf in pf["vfs"] for key in ("name", "pci_address")}
    found = []
    try:
        with connection("qemu:///system", readonly=True) as connected, said_by_libvirt("list its networks"):
            for network in connected.listAllNetworks(0):
                if network.isActive():
                    pool = pool_of(parse_network(network.XMLDesc(0)))
                    if devices.intersection(members_of(pool)) or (pool["pf"] and pool["pf"] == pf["name"]):
                        name = network.name()
                        found.append({"vf": None, "kind": "libvirt_network", "name": name, "uuid": network.UUIDString(), "network": name, "active": True})
    except SriovError:
        return []
    return found
