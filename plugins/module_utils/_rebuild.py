# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a live network made anew from its definition, with every lease kept.

libvirt expands a pool only when a network starts, and forgets every lease when it stops. So: read the leases, write
them down, stop, start, put the leases back, read them again, and only then forget what was written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import holders, member_of, parse_port, put_back, read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import miscounted
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import explicit_text, members_of, parse_network, pool_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal

__all__ = ["interrupted", "rebuild", "restore"]


def rebuild(
    network: Any,
    journal: Journal,
    known: list[dict[str, Any]],
    take: Callable[[dict[str, Any]], dict[str, Any] | None],
    force: bool,
    forgotten: list[dict[str, Any]],
) -> None:
    """Stop and start ``network`` so that its live pool is what its definition gives now.

    ``known`` are the leases that were read when this was planned. ``take`` tells how the new pool takes a lease, as ``fit`` gives it.
    Without ``force``, one that does not stay the same stops the rebuild before it begins, even if its guest started only a moment ago.
    ``forgotten`` are leases that the ledger lacks, as the new pool takes them.
    """
    name = network.name()
    with said_by_libvirt(f"rebuild the network {name}"):
        while True:
            leases = known = read_leases(network, known)
            there = {lease["port"] for lease in leases}
            lost = [lease for lease in leases if take(lease) is not lease]
            if lost and not force:
                raise SriovError(f"Guests hold VFs that the network {name} is to lose ({holders(lost)}): stop them first.")
            kept = [taken for taken in map(take, leases) if taken is not None] + [lease for lease in forgotten if lease["port"] not in there]
            kept = _in_pool_order(kept, network)
            journal.write(network.UUIDString(), network.XMLDesc(0), [lease["xml"] for lease in kept])
            # Reading and writing take their time: a guest may have started or stopped meanwhile.
            if {port.UUIDString() for port in network.listAllPorts(0)} == there:
                break
            journal.remove()
        network.destroy()
        network.create()
        put_back(network, kept, journal.mark)
        _prove(network, kept)
    journal.remove()


def interrupted(record: dict[str, Any], current: dict[str, Any]) -> list[dict[str, Any]]:
    """The leases that a rebuild was cut short of putting back."""
    there = {lease["port"] for lease in current["leases"]} | record["done"]
    return [lease for lease in map(parse_port, record["leases"]) if lease["port"] not in there]


def restore(network: Any, journal: Journal, leases: list[dict[str, Any]]) -> None:
    """Make ``network`` run again with ``leases`` in its ledger, after a rebuild that was cut short or failed.

    Where its definition cannot start, it runs with the members that it had.
    """
    record = journal.read()
    with said_by_libvirt(f"finish the rebuild of the network {network.name()}"):
        if not network.isActive():
            _start_somehow(network, record["xml"] if record else None)
        put_back(network, leases, journal.mark)
        _prove(network, leases)
    journal.remove()


def _start_somehow(network: Any, live: str | None) -> None:
    try:
        network.create()
    except libvirt().libvirtError:
        if live is None:
            raise
        connected, definition = network.connect(), network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE)
        connected.networkDefineXML(explicit_text(live))
        try:
            network.create()
        finally:
            connected.networkDefineXML(definition)


def _in_pool_order(leases: list[dict[str, Any]], network: Any) -> list[dict[str, Any]]:
    order = {member: position for position, member in enumerate(members_of(pool_of(parse_network(network.XMLDesc(0)))))}
    return sorted(leases, key=lambda lease: order.get(member_of(lease) or "", len(order)))


def _prove(network: Any, leases: list[dict[str, Any]]) -> None:
    """Each lease is in the ledger again, and each member counted as often as it is held."""
    found = read_leases(network, leases)
    there = {lease["port"] for lease in found}
    lost = [lease for lease in leases if lease["port"] not in there]
    wrong = miscounted(parse_network(network.XMLDesc(0)), found)
    if lost or wrong:
        said = f"leases are missing ({holders(lost)})" if lost else f"libvirt counts wrongly on {', '.join(wrong)}"
        raise SriovError(f"After the rebuild of the network {network.name()} {said}: run this again.")
