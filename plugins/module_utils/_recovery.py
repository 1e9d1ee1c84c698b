# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: leases that libvirt's ledger lacks although their guests hold VFs, and how they get back.

They are missing after a rebuild that was cut short, and after someone stopped a network under running guests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import (
    enter_leases,
    forgotten_leases,
    guest_claims,
    guest_runs,
    running_guests,
)
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import holders, member_of, parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, error_code, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import expected_members, fit
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import (
    Element,
    network_text,
    parse_network,
    parse_xml,
    pool_of,
    set_members,
)
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network
from ansible_collections.vfpool.sriov.plugins.module_utils._overlap import Devices
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan

__all__ = ["Recovery", "as_recovered", "close_record", "enter", "fit_of", "plan_recovery"]


class Recovery(NamedTuple):
    """``plan`` puts the leases ``restored`` back. ``forgotten`` are those that it cannot: their network does not run, or not with their members.

    ``former`` is the live XML with whose members it starts the network, if not with those of its definition.
    """

    plan: Plan
    restored: list[dict]
    forgotten: list[dict]
    former: str | None = None


def plan_recovery(
    connected: Any,
    name: str,
    current: dict | None,
    journal: Journal,
    pfs: list[dict] | None,
    force: bool = False,
    guests: list[str] | None = None,
) -> Recovery:
    """The steps that finish what another run began and put back what libvirt forgot, before anything else is planned.

    ``current`` is what ``read_network`` says of the network ``name``, None where there is none: its guests may run all the same.
    With ``force``, what cannot be put back is given up, which else makes the plan fail.
    ``guests`` are those that run, for who has asked for them already.
    """
    plan = Plan()
    if guests is None:
        guests = running_guests(connected)
    forgotten = forgotten_leases(connected, guests, name, current)
    record = _record(connected, name, journal)

    def outstanding_of(which: str) -> list[dict]:
        missing = _outstanding(connected, record, which, current["leases"] if current else [])
        return [lease for lease in missing if not _gave_back(lease, guests, pfs)]

    if current is None:
        return Recovery(plan, [], forgotten + _without(outstanding_of("leases"), forgotten))
    unfinished = record is not None and (record["stopped"] or not current["active"])
    if not (current["active"] or unfinished):
        return Recovery(plan, [], forgotten)
    take = fit_of(current, pfs)
    fitting = [taken for taken in map(take, forgotten) if taken is not None]
    rest = [lease for lease in forgotten if take(lease) is None]
    if unfinished and record is not None:
        # Compiled only where there is something to finish.
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import restore

        leases = [take(lease) or lease for lease in outstanding_of("leases")]
        given_up = [lease for lease in leases if force and take(lease) is None]
        leases = _without(leases, given_up)
        if current["active"] or pfs is not None:
            leases += _taken_by_force(record, outstanding_of("before"), take)
        leases += _without(fitting, leases)
        lacking = any(take(lease) is None for lease in leases)
        if leases or given_up or not current["active"]:
            said = f", and put back its leases ({holders(leases)})" if leases else ""
            said += f", giving up {holders(given_up)}" if given_up else ""
            doing = f"finish the interrupted rebuild of the network {name}{said}"
            plan.add(doing, lambda: restore(find_network(connected, name), journal, leases, lacking))
        return Recovery(plan, leases, _without(rest, leases), record["xml"] if lacking else None)
    if fitting:
        plan.add(f"put back leases of the network {name} that libvirt has forgotten ({holders(fitting)})", lambda: enter(connected, name, fitting))
    return Recovery(plan, fitting, rest)


def _taken_by_force(record: dict, before: list[dict], take: Callable[[dict], dict | None]) -> list[dict]:
    """What force took of the leases from before a rebuild stays taken, unless that was being undone: then the definition has room for it again."""
    return [lease for lease in _without(before, list(map(parse_port, record["leases"]))) if take(lease) is lease]


def _record(connected: Any, name: str, journal: Journal) -> dict | None:
    """The record of the rebuild of the network ``name``; None where there is none, or where that network has another name now.

    Where the recorded network is gone, the record counts for the one that has taken its name: none of the leases is back there yet.
    """
    record = journal.read()
    if record is None:
        return None
    try:
        return record if connected.networkLookupByUUIDString(record["uuid"]).name() == name else None
    except libvirt().libvirtError as error:
        if error_code(error) != NO_NETWORK:
            raise
    return {**record, "stopped": True, "done": set()}


def _outstanding(connected: Any, record: dict | None, which: str, ledger: list[dict]) -> list[dict]:
    """Recorded leases that the ledger lacks and whose guests may still hold their VFs.

    ``which`` is ``leases`` for those that the rebuild was to keep, ``before`` for those from before it.
    """
    if record is None:
        return []
    leases = list(map(parse_port, record[which]))
    known = {parse_port(document)["port"] for document in record["leases"] + record["before"]}
    there = {lease["port"] for lease in ledger} | record["done"]
    # A guest that was started again meanwhile has another lease in place of its former one.
    again = {(lease["owner_uuid"], lease["mac"]) for lease in ledger if lease["port"] not in known}
    missing = [lease for lease in leases if lease["port"] not in there and (lease["owner_uuid"], lease["mac"]) not in again]
    return [lease for lease in missing if guest_runs(connected, lease) is not False]


def _gave_back(lease: dict, guests: list[str], pfs: list[dict] | None) -> bool:
    """Whether the owner of a lease is one of ``guests``, and by its own document has neither that port nor that VF, under whatever name.

    A PCI device has lost its port there, so one with the same MAC address is enough to keep its lease.
    """
    own = [document for document in guests if parse_xml(document).findtext("uuid") == lease["owner_uuid"]]
    pool = {"mode": "passthrough", "pf": None, "interfaces": [member_of(lease) or ""], "addresses": []}
    if not own or Devices(pool, pfs).shared(device for device, _guest in guest_claims(own)):
        return False
    has = "devices/interface[source/@portid = $port or (@type = 'hostdev' and mac/@address = $mac)]"
    return not parse_xml(own[0]).xpath(has, port=lease["port"], mac=lease["mac"])


def _without(leases: list[dict], others: list[dict]) -> list[dict]:
    ports = {lease["port"] for lease in others}
    return [lease for lease in leases if lease["port"] not in ports]


def fit_of(current: dict, pfs: list[dict] | None) -> Callable[[dict], dict | None]:
    """How the network takes a lease while it runs, or will when it is started."""
    pool = pool_of(parse_network(current["xml" if current["active"] else "xml_inactive"]))
    return fit(pool["mode"], expected_members(pool, pfs), pfs)


def as_recovered(current: dict, recovery: Recovery, pfs: list[dict] | None) -> dict:
    """What ``current`` will be after its recovery: running, with every lease that this puts back counted. For check mode."""
    live = parse_network(current["xml"]) if current["active"] else _started(recovery.former or current["xml_inactive"], pfs)
    more = Counter(map(member_of, recovery.restored))
    for entry in live.iterfind("forward/interface"):
        entry.set("connections", str(int(entry.get("connections", "0")) + more[entry.get("dev")]))
    live.set("connections", str(int(live.get("connections", "0")) + len(recovery.restored)))
    return {**current, "active": True, "leases": current["leases"] + recovery.restored, "xml": network_text(live)}


def _started(xml: str, pfs: list[dict] | None) -> Element:
    """The live document of a network right after its start, when nobody holds a lease."""
    live = parse_network(xml)
    pool = pool_of(live)
    kind = "addresses" if pool["mode"] == "hostdev" else "interfaces"
    set_members(live, {kind: expected_members(pool, pfs) or []}, {})
    return live


def close_record(connected: Any, name: str, journal: Journal) -> None:
    """Remove a record with which nothing is left to do: the network ``name`` runs with its leases again, or nobody holds one."""
    record = _record(connected, name, journal)
    if record is None:
        return
    network = find_network(connected, name)
    if (network is not None and network.isActive()) or not _outstanding(connected, record, "leases", []):
        journal.remove()


def enter(connected: Any, name: str, leases: list[dict], ran: Iterable[str] = ()) -> None:
    """Put ``leases`` into the ledger of an active network, except of the guests that ``ran`` and have stopped since."""
    if leases:
        with said_by_libvirt(f"put leases of the network {name} back"):
            enter_leases(find_network(connected, name), leases, set(ran))
