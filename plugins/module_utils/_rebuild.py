# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a live network made anew from its definition, with every lease kept.

libvirt expands a pool only when a network starts, and forgets every lease when it stops. So: read the leases, write
them down, stop, start, put the leases back, read them again, and only then forget what was written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import held_back
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import enter_leases, running_owners
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import check_single, holders, member_of, parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import is_exclusive
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import explicit_text, members_of, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import counted, define_anew

__all__ = ["rebuild", "restore", "undo_rebuild"]


def rebuild(
    network: Any,
    journal: Journal,
    known: list[dict],
    take: Callable[[dict], dict | None],
    force: bool,
    forgotten: list[dict],
    started: Callable[[str, list[dict]], object],
) -> None:
    """Stop and start ``network`` so that its live pool is what its definition gives now.

    ``known`` are the leases that were read when this was planned. ``take`` tells how the new pool takes a lease, as ``fit`` gives it.
    Without ``force``, one that does not stay the same stops the rebuild before it begins, even if its guest started only a moment ago.
    ``forgotten`` are leases that the ledger lacks, as the new pool takes them. ``started`` is called with the live XML and the leases
    once all is back, and raises SriovError if it may not stay so.
    """
    name = network.name()
    with said_by_libvirt(f"rebuild the network {name}"):
        define_anew(network)
        while True:
            ran = running_owners(network.connect())
            leases = known = read_leases(network, known)
            there = {lease["port"] for lease in leases}
            lost = [lease for lease in leases if take(lease) is not lease]
            if lost and not force:
                raise SriovError(f"Guests hold VFs that the network {name} is to lose ({holders(lost)}): stop them first.")
            kept = [taken for taken in map(take, leases) if taken is not None] + [lease for lease in forgotten if lease["port"] not in there]
            kept = _in_pool_order(kept, network)
            if is_exclusive(parse_network(network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE))):
                check_single(name, kept)
            journal.write(network.UUIDString(), network.XMLDesc(0), _documents(kept), _documents(leases))
            # Reading and writing take their time: a guest may have started or stopped meanwhile.
            if {port.UUIDString() for port in network.listAllPorts(0)} == there:
                break
            journal.remove()
        # Turned into an exception, a signal would come up in the midst of libvirt's bindings.
        with held_back():
            journal.stopping()
            network.destroy()
            network.create()
            _enter(network, journal, kept, ran)
            started(network.XMLDesc(0), kept)
            journal.remove()


def undo_rebuild(network: Any, journal: Journal, record: dict) -> None:
    """Give ``network``, whose definition is its former one again, the leases that it had before a rebuild of which there is a ``record``."""
    with said_by_libvirt(f"undo the rebuild of the network {network.name()}"):
        present = read_leases(network) if network.isActive() else []
        ports = {lease["port"] for lease in present}
        before = [lease for lease in map(parse_port, record["before"]) if lease["port"] in ports or lease["port"] not in record["done"]]
        known = {lease["port"] for lease in map(parse_port, record["before"] + record["leases"])}
        leases = _in_pool_order(before + [lease for lease in present if lease["port"] not in known], network)
        journal.write(record["uuid"], record["xml"], _documents(leases), _documents(leases))
        journal.stopping()
        if network.isActive():
            network.destroy()
    restore(network, journal, leases)


def restore(network: Any, journal: Journal, leases: list[dict], lacking: bool = False) -> None:
    """Make ``network`` run again with ``leases`` in its ledger, after a rebuild that was cut short or failed.

    Where its definition cannot start, or is ``lacking`` what is leased, it runs with the members that it had.
    """
    record = journal.read()
    former = record["xml"] if record and record["uuid"] == network.UUIDString() else None
    try:
        with said_by_libvirt(f"finish the rebuild of the network {network.name()}"), held_back():
            ran = running_owners(network.connect())
            if not network.isActive():
                _start_somehow(network, former, lacking)
            _enter(network, journal, leases, ran)
            journal.remove()
    except SriovError as error:
        raise SriovError(f"{error} The leases are recorded in {journal.path}; on_in_use: force gives up those whose VFs the network lacks.") from error


def _start_somehow(network: Any, former: str | None, lacking: bool) -> None:
    """Start a network by its definition, or with its ``former`` members where that cannot be, or is ``lacking`` what is leased."""
    if not lacking or former is None:
        try:
            network.create()
            return
        except libvirt().libvirtError:
            if former is None:
                raise
    connected, definition, autostart = network.connect(), network.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE), network.autostart()
    network.setAutostart(False)
    try:
        connected.networkCreateXML(explicit_text(former))  # beside its definition, which stays
    except libvirt().libvirtError:
        # libvirt has forgotten the network now, and would not have forgotten that it starts by itself.
        network = connected.networkDefineXML(definition)
        network.create()
    finally:
        network.setAutostart(autostart)


def _members(network: Any) -> list[str]:
    return members_of(pool_of(parse_network(network.XMLDesc(0))))


def _documents(leases: list[dict]) -> list[str]:
    return [lease["xml"] for lease in leases]


def _enter(network: Any, journal: Journal, leases: list[dict], ran: set[str]) -> None:
    """Put ``leases`` back, except of the guests that ``ran`` and have stopped while the ledger was empty."""
    _prove(network, enter_leases(network, leases, ran, journal.mark), ran)


def _in_pool_order(leases: list[dict], network: Any) -> list[dict]:
    order = {member: position for position, member in enumerate(_members(network))}
    return sorted(leases, key=lambda lease: order.get(member_of(lease) or "", len(order)))


def _prove(network: Any, leases: list[dict], ran: set[str]) -> None:
    """Each lease is in the ledger again, unless its guest ``ran`` and has given it back since, and each member counted as often as it is held."""
    _xml, found, wrong = counted(network, read_leases(network, leases))
    there = {lease["port"] for lease in found}
    lost = [lease for lease in leases if lease["port"] not in there]
    stopped = ran - running_owners(network.connect()) if lost else set()
    lost = [lease for lease in lost if lease["owner_uuid"] not in stopped]
    if lost or wrong:
        said = f"leases are missing ({holders(lost)})" if lost else f"libvirt counts wrongly on {', '.join(wrong)}"
        raise SriovError(f"After the rebuild of the network {network.name()} {said}: run this again.")
