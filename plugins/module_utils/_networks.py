# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the networks of a libvirt daemon as plain dicts, each with its leases."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._leases import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import describe_pool

__all__ = ["define_anew", "find_network", "read_network", "report"]


def find_network(connected: Any, name: str) -> Any | None:
    """Libvirt's object of the network ``name``, or None."""
    with said_by_libvirt(f"look up the network {name}"):
        try:
            return connected.networkLookupByName(name)
        except libvirt().libvirtError as error:
            if error_code(error) == NO_NETWORK:
                return None
            raise


def define_anew(network: Any) -> None:
    """Make the definition of ``network`` what its document says.

    An interface that net-update --config adds beside a PF shows in no document, and takes the place of the PF when the network starts.
    """
    network.connect().networkDefineXML(network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE))


def read_network(network: Any) -> dict:
    """What libvirt knows of a network: one call for each property and one for each lease."""
    name = network.name()
    with said_by_libvirt(f"describe the network {name}"):
        active, persistent = bool(network.isActive()), bool(network.isPersistent())
        return {
            "name": name,
            "uuid": network.UUIDString(),
            "active": active,
            "autostart": bool(network.autostart()) if persistent else False,
            "persistent": persistent,
            "xml": network.XMLDesc(0),
            "xml_inactive": network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE),
            "leases": read_leases(network) if active else [],
        }


def report(network: dict, pfs: list[dict] | None, inactive: bool = False) -> dict:
    """``network`` as the modules return it; with ``inactive``, its definition in place of what is live."""
    kept = ("name", "uuid", "active", "autostart", "persistent", "xml", "xml_inactive")
    seen = {**network, "xml": network["xml_inactive"]} if inactive else network
    return {**{key: seen[key] for key in kept}, "pool": describe_pool(network, pfs, live=network["active"] and not inactive)}
