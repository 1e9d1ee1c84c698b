# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a VF in the pools of two networks, which libvirt does not notice."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, expected_members
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, pool_of

__all__ = ["find_overlaps"]


def find_overlaps(connected: Any, name: str, pool: dict[str, Any], pfs: list[dict[str, Any]] | None) -> dict[str, list[str]]:
    """Other networks than ``name`` that hand out what ``pool`` does, or will from the next boot on, each with those members.

    A VF is the same under its interface name and its PCI address. Where the PFs are not known (None) it is known by what
    a document calls it alone, and a PF stands for its VFs.
    """
    addresses = {vf["name"]: vf["pci_address"] for pf in pfs or [] for vf in pf["vfs"] if vf["name"]}
    ours = {addresses.get(member, member): member for member in _given(pool, pfs)}
    found = {}
    with said_by_libvirt("list its networks"):
        for network in connected.listAllNetworks(0):
            if network.name() != name:
                theirs = {addresses.get(member, member) for member in _handed_out(network, pfs)}
                shared = [member for device, member in ours.items() if device in theirs]
                if shared:
                    found[network.name()] = shared
    return found


def _given(pool: dict[str, Any], pfs: list[dict[str, Any]] | None) -> list[str]:
    expected = expected_members(pool, pfs)
    return [pool["pf"]] if expected is None else expected


def _handed_out(network: Any, pfs: list[dict[str, Any]] | None) -> list[str]:
    """What a network hands out now, and what its definition gives."""
    try:
        active = network.isActive()
        if not active and not network.autostart():
            return []
        documents = [network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE)] + ([network.XMLDesc(0)] if active else [])
    except libvirt().libvirtError as error:
        if error_code(error) == NO_NETWORK:
            return []  # removed since the list was made
        raise
    pools = [pool for pool in (pool_of(parse_network(document)) for document in documents) if pool["mode"] in POOL_MODES]
    return [member for pool in pools for member in (*members_of(pool), *_given(pool, pfs))]
