# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the networks of a libvirt daemon as plain dicts, each with its leases."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, NOT_RUNNING, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, compare, expected_members, miscounted, why_stale
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, members_of, parse_network, parse_stored, pool_of

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
    return {**{key: seen[key] for key in kept}, "pool": _pool(network, pfs, live=network["active"] and not inactive)}


def _pool(network: dict, pfs: list[dict] | None, live: bool) -> dict:
    """``pool`` as the modules return it, of a network that ``read_network`` read; ``live`` or as it is defined."""
    definition = parse_network(network["xml_inactive"])
    defined = pool_of(definition)
    if defined["mode"] not in POOL_MODES or not (defined["pf"] or members_of(defined)):
        return {"kind": "none", "pf": None, "members": [], "missing": [], "surplus": [], "stale": [], "leases": _leases(network)}
    expected = expected_members(defined, pfs)
    shown = pool_of(parse_network(network["xml"])) if live else defined
    missing, surplus = compare(expected, members_of(shown)) if live else ([], [])
    vfs = {vf[by]: (pf["name"], vf["index"]) for pf in pfs or [] for vf in pf["vfs"] for by in ("name", "pci_address") if vf[by]}
    owners = {vfs[member][0] if member in vfs else None for member in members_of(shown)}
    return {
        "kind": "explicit" if members_of(defined) else "implicit",
        "pf": defined["pf"] if not members_of(defined) else owners.pop() if len(owners) == 1 else None,
        "members": [_member(kind, name, vfs, network) for kind in ("interface", "address") for name in shown[_LISTS[kind]]],
        "missing": missing,
        "surplus": surplus,
        "stale": _stale(network, definition, expected) if live else [],
        "leases": _leases(network),
    }


_LISTS = {"interface": "interfaces", "address": "addresses"}


def _stale(network: dict, definition: Element, expected: list[str] | None) -> list[str]:
    live = parse_network(network["xml"])
    reasons = why_stale(live, definition, expected, network["leases"])
    if pool_of(definition)["pf"] and not pool_of(live)["pf"]:
        reasons.append("its live XML no longer names the PF, as after a restart of the daemon")
    return reasons


def _member(kind: str, name: str, vfs: dict, network: dict) -> dict:
    held = [lease for lease in network["leases"] if (lease["plug"] or {}).get(kind) == name]
    return {kind: name, "index": vfs[name][1] if name in vfs else None, "lease": _lease(held[0]) if held else None}


def _lease(lease: dict) -> dict:
    return {key: lease[key] for key in ("port", "owner_name", "owner_uuid", "mac")}


def _leases(network: dict) -> list[dict]:
    return [{**_lease(lease), "plug": lease["plug"]} for lease in network["leases"]]
