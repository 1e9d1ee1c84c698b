# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the active networks whose pools go stale with the VFs of a PF."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, pool_of

__all__ = ["dependent_networks"]

_URI = "qemu:///system"


def dependent_networks(pf: dict) -> tuple[list[dict], str | None]:
    """Each of them as an entry of `affected`, and why there may be more than could be found."""
    try:
        etree()  # which reads the networks
        with connection(_URI, readonly=True) as connected:
            return [_entry(network) for network in connected.listAllNetworks(0) if network.isActive() and _hands_out(network, pf)], None
    except SriovError as error:
        return [], str(error).rstrip(".")


def _hands_out(network: Any, pf: dict) -> bool:
    pool = pool_of(parse_network(network.XMLDesc(0)))
    devices = {vf[key] for vf in pf["vfs"] for key in ("name", "pci_address")}
    return bool(devices.intersection(members_of(pool)) or (pool["pf"] and pool["pf"] == pf["name"]))


def _entry(network: Any) -> dict:
    name = network.name()
    return {"vf": None, "kind": "libvirt_network", "name": name, "uuid": network.UUIDString(), "network": name}
