# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the networks of a libvirt daemon as plain dicts, each with its leases."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._leases import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, NOT_RUNNING, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import describe_pool, miscounted
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_network, parse_stored

__all__ = ["counted", "define_anew", "find_network", "read_network", "report"]

_LOOKS = 10  # guests that start and stop all the time do not keep a run from its end


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


def counted(network: Any, leases: list[dict]) -> tuple[str, list[dict], list[str]]:
    """The live XML of a network, the ``leases`` that were just read of it, and what libvirt counts otherwise (see ``miscounted``).

    A guest that starts or stops between the two questions is in one answer alone. So a miscount is believed only
    when both are asked again and say the same.
    """
    seen = None
    for _look in range(_LOOKS):
        xml = network.XMLDesc(0)
        wrong = miscounted(parse_network(xml), leases)
        if not wrong or (xml, leases) == seen:
            break
        seen = xml, leases
        leases = read_leases(network, leases)
    return xml, leases, wrong


def read_network(network: Any) -> dict:
    """What libvirt knows of a network: one call for each property and one for each lease."""
    name = network.name()
    with said_by_libvirt(f"describe the network {name}"):
        inactive = network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE)
        parse_stored(inactive, name)
        live, persistent = _live(network), bool(network.isPersistent())
        xml, leases = live or (network.XMLDesc(0), [])
        return {
            "name": name,
            "uuid": network.UUIDString(),
            "active": live is not None,
            "autostart": bool(network.autostart()) if persistent else False,
            "persistent": persistent,
            "xml": xml,
            "xml_inactive": inactive,
            "leases": leases,
        }


def _live(network: Any) -> tuple[str, list[dict]] | None:
    """The live XML and the leases of a network; None for one that does not run, or has stopped while these were read."""
    try:
        return counted(network, read_leases(network))[:2] if network.isActive() else None
    except libvirt().libvirtError as error:
        if error_code(error) != NOT_RUNNING or network.isActive():
            raise
        return None


def report(network: dict, pfs: list[dict] | None, inactive: bool = False) -> dict:
    """``network`` as the modules return it; with ``inactive``, its definition in place of what is live."""
    kept = ("name", "uuid", "active", "autostart", "persistent", "xml", "xml_inactive")
    seen = {**network, "xml": network["xml_inactive"]} if inactive else network
    return {**{key: seen[key] for key in kept}, "pool": describe_pool(network, pfs, live=network["active"] and not inactive)}
