# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a VF that two networks hand out, or that is used by something else, which libvirt does not notice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import describe_holder
from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import guest_claims, running_guests
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import function_of
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import member_of
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._link_claims import link_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, expected_members
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_stored, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["Devices", "find_overlaps", "held_otherwise", "unleased", "used_by_the_host"]


class Devices:
    """What a pool hands out, each device known by one mark under whatever name: its PCI address, if this host tells it.

    Where the PFs are not known (None) a device is known by what a document calls it alone, and a PF stands for its VFs as well.
    """

    def __init__(self, pool: dict, pfs: list[dict] | None) -> None:
        self._pfs = pfs
        self._addresses = {vf[by]: vf["pci_address"] for pf in pfs or [] for vf in pf["vfs"] for by in ("name", "pci_address") if vf[by]}
        self._members = {self._mark(member): member for member in self.given(pool)}

    def given(self, pool: dict) -> list[str]:
        unknown = [pool["pf"]] if self._pfs is None and pool["pf"] else []
        return unknown + (expected_members(pool, self._pfs) or [])

    def shared(self, others: Iterable[str]) -> list[str]:
        """Those members that ``others`` name too."""
        marks = set(map(self._mark, others))
        return [member for mark, member in self._members.items() if mark in marks]

    def leased(self, leases: Iterable[dict]) -> list[str]:
        """Those members that one of ``leases`` holds, under whatever name."""
        return self.shared(member_of(lease) or "" for lease in leases)

    def _mark(self, device: str) -> str:
        if device not in self._addresses and self._pfs is not None:
            # Not the interface that the facts name, but maybe another one of the same function.
            self._addresses[device] = function_of(device, Sysfs()) or device
        return self._addresses.get(device, device)


def find_overlaps(connected: Any, name: str, devices: Devices, records: dict[str, dict]) -> dict[str, list[str]]:
    """Other networks than ``name`` that hand out some of ``devices``, or will from the next boot on, each with those.

    So do those of which there are ``records``, wherever an interrupted rebuild has left them: their leases wait to be put back.
    """
    documents = {other: [record["xml"]] for other, record in records.items()}
    with said_by_libvirt("list its networks"):
        for network in connected.listAllNetworks(0):
            other = network.name()
            if other != name:
                documents[other] = documents.get(other, []) + _documents(network, other in records)
    found = {other: devices.shared(_handed_out(other, pools, devices)) for other, pools in documents.items() if other != name}
    return {other: shared for other, shared in found.items() if shared}


def held_otherwise(connected: Any, name: str, devices: Devices, leases: list[dict], told: set[str]) -> list[str]:
    """``web1 holds enp1s0v0`` for each of ``devices`` that a running guest holds without a lease of the network ``name``.

    That is by its own definition, or from a network that has gone or does not run; those in ``told`` have been named.
    """
    return [
        f"the guest {guest['name']} holds {member}" + (f" from the network {guest['network']}" if guest["network"] else "")
        for member, guest in unleased(connected, devices, leases)
        if guest["network"] not in (name, *told)
    ]


def unleased(connected: Any, devices: Devices, leases: list[dict]) -> list[tuple[str, dict]]:
    """Each of ``devices`` that a running guest holds without one of ``leases``, and that guest, as an entry of ``used_by``."""
    leased = {(lease["owner_uuid"], member) for lease in leases for member in devices.leased([lease])}
    claims = [(member, guest) for device, guest in guest_claims(running_guests(connected)) for member in devices.shared([device])]
    return [(member, guest) for member, guest in claims if (guest["uuid"], member) not in leased]


def used_by_the_host(devices: Devices, leases: list[dict], links: Iterable[dict]) -> dict[str, str]:
    """Who uses each of ``devices`` without one of ``leases``, in words, as far as ``links`` tell, which are those of ``ip -json``."""
    leased = set(devices.leased(leases))
    used: dict[str, str] = {}
    for interface, holder in link_claims(links):
        for member in devices.shared([interface]):
            if member not in leased:
                used.setdefault(member, describe_holder(holder))
    return {member: used[member] for member in devices.shared(used)}  # in the order of the pool


def _documents(network: Any, recorded: bool) -> list[str]:
    """The definition of a network that runs or will, and its live XML."""
    try:
        active = network.isActive()
        if not (active or recorded or network.autostart()):
            return []
        return [network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE)] + ([network.XMLDesc(0)] if active else [])
    except libvirt().libvirtError as error:
        if error_code(error) == NO_NETWORK:
            return []  # removed since the list was made
        raise


def _handed_out(name: str, documents: list[str], devices: Devices) -> list[str]:
    pools = [pool_of(parse_stored(document, name)) for document in documents]
    return [member for pool in pools if pool["mode"] in POOL_MODES for member in devices.given(pool)]
