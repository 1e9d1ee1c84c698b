# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the pool of a network seen beside its leases and the PFs of the host (pure)."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_network, parse_xml, pci_of, pool_of

__all__ = ["POOL_MODES", "compare", "describe_pool", "expected_members", "members_of", "parse_port"]

POOL_MODES = ("passthrough", "hostdev", "private", "vepa", "bridge")


def parse_port(xml: str) -> dict[str, Any]:
    """A lease, from the XML of a network port: ``port``, ``owner_name``, ``owner_uuid``, ``mac``, ``plug`` and ``xml``.

    ``plug`` is ``{type, interface or address, mode}``, and None for a port that has none.
    """
    root = parse_xml(xml)
    plug = root.find("plug")
    return {
        "port": root.findtext("uuid"),
        "owner_name": root.findtext("owner/name"),
        "owner_uuid": root.findtext("owner/uuid"),
        "mac": root.find("mac").get("address"),
        "plug": None if plug is None else _plug(plug),
        "xml": xml,
    }


def _plug(plug: Any) -> dict[str, Any]:
    kind = plug.get("type")
    if kind == "hostdev-pci":
        return {"type": kind, "address": pci_of(plug.find("address")), "mode": "hostdev"}
    return {"type": kind, "interface": plug.get("dev") or plug.get("bridge"), "mode": plug.get("mode", kind)}


def members_of(pool: dict[str, Any]) -> list[str]:
    """The names or addresses that a document lists."""
    members: list[str] = pool["interfaces"] or pool["addresses"]
    return members


def compare(expected: list[str] | None, live: list[str] | None) -> tuple[list[str] | None, list[str] | None]:
    """Missing and surplus members of a live pool; None where one of the two is not known."""
    if expected is None or live is None:
        return None, None
    return [member for member in expected if member not in live], [member for member in live if member not in expected]


def expected_members(pool: dict[str, Any], pfs: list[dict[str, Any]] | None) -> list[str] | None:
    """What the definition ``pool`` gives now: its list, or the VFs that its PF has. None where the PFs are not known."""
    if members_of(pool) or pool["pf"] is None:
        return members_of(pool)
    if pfs is None:
        return None
    by = "pci_address" if pool["mode"] == "hostdev" else "name"
    found = [pf for pf in pfs if pf["name"] == pool["pf"]]
    return [vf[by] for pf in found for vf in pf["vfs"] if vf[by] is not None]


def describe_pool(network: dict[str, Any], pfs: list[dict[str, Any]] | None, live: bool) -> dict[str, Any]:
    """``pool`` as the modules return it, of a network read by ``_networks.read_network``; ``live`` or as it is defined."""
    defined = pool_of(parse_network(network["xml_inactive"]))
    if defined["mode"] not in POOL_MODES or not (defined["pf"] or members_of(defined)):
        return {"kind": "none", "pf": None, "members": [], "missing": [], "surplus": [], "leases": _leases(network)}
    shown = members_of(pool_of(parse_network(network["xml"]))) if live else members_of(defined)
    missing, surplus = compare(expected_members(defined, pfs), shown) if live else ([], [])
    vfs = {vf[by]: (pf["name"], vf["index"]) for pf in pfs or [] for vf in pf["vfs"] for by in ("name", "pci_address") if vf[by]}
    owners = {vfs[member][0] if member in vfs else None for member in shown}
    return {
        "kind": "explicit" if members_of(defined) else "implicit",
        "pf": defined["pf"] if not members_of(defined) else owners.pop() if len(owners) == 1 else None,
        "members": [_member(name, defined["mode"], vfs, network["leases"]) for name in shown],
        "missing": missing,
        "surplus": surplus,
        "leases": _leases(network),
    }


def _member(name: str, mode: str, vfs: dict[str, Any], leases: list[dict[str, Any]]) -> dict[str, Any]:
    kind = "address" if mode == "hostdev" else "interface"
    held = [lease for lease in leases if (lease["plug"] or {}).get(kind) == name]
    return {kind: name, "index": vfs[name][1] if name in vfs else None, "lease": _lease(held[0]) if held else None}


def _lease(lease: dict[str, Any]) -> dict[str, Any]:
    return {key: lease[key] for key in ("port", "owner_name", "owner_uuid", "mac")}


def _leases(network: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**_lease(lease), "plug": lease["plug"]} for lease in network["leases"]]
