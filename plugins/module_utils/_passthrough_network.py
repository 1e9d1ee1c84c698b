# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run of the module passthrough_network, from its options to its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._command import beside
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError, Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import forgotten_leases, running_guests
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal, RecordUnreadable, recorded
from ansible_collections.vfpool.sriov.plugins.module_utils._lent_vfs import lend_names
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_NETWORK, connection, daemon_key, error_code, network_key, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._link import ask_links
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked, runtime_folder
from ansible_collections.vfpool.sriov.plugins.module_utils._network_options import definition
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import NotYet, add_altnames_for, check_list, host_pfs, pool_of_pf, unbound
from ansible_collections.vfpool.sriov.plugins.module_utils._network_plan import NetworkPlanner, same_source
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, expected_members
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, network_text, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network, read_network, report
from ansible_collections.vfpool.sriov.plugins.module_utils._overlap import Devices, find_overlaps, held_otherwise, used_by_the_host
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._recovery import Recovery, as_recovered, close_record, fit_of, plan_recovery
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import is_interface_name
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["bring_to_state", "describe_networks"]


def bring_to_state(options: dict, check: bool, warn: Callable[[str], None]) -> dict:
    """The module's result. In check mode it is the same, but nothing is written."""
    uri, warn = options["uri"], _once(warn)
    if options["state"] == "rendered":
        return {"changed": False, "xml": network_text(definition(options, _judge(options, host_pfs(uri), False, warn).pool))}
    # One lock for all networks of a daemon: that none of them hands out a VF of this one holds only while none of them changes.
    folder = runtime_folder(daemon_key(uri))
    with locked("libvirt", daemon_key(uri), check=check, folder=folder):
        # Before libvirt is asked, so that a mistake is told even where no daemon runs; under the lock, because a run that waits may wait for new VFs.
        views = _views(options, check, warn)
        first = next(views)
        with connection(uri) as connected:
            return _Run(connected, options, Journal(network_key(options["name"], uri), folder), check, warn).converge(chain([first], views))


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """``warn``, for who may come upon the same twice."""
    told = set()

    def warn_once(message: str) -> None:
        if message not in told:
            told.add(message)
            warn(message)

    return warn_once


class _View(NamedTuple):
    """The ``pool`` that the options mean with ``pfs`` (in check mode None while it cannot be told), and whether these are as they will be."""

    pool: dict | None
    pfs: list[dict] | None
    final: bool = True

    @property
    def known(self) -> list[dict] | None:
        """The PFs, where something can be planned by them."""
        return self.pfs if self.final else None


def _views(options: dict, check: bool, warn: Callable[[str], None], recovered: dict | None = None) -> Iterator[_View]:
    """What the pool is, in one view or two. In the first, VFs that consumers have taken away are there: a live network goes on with them.

    The second comes only where there are such VFs, and lacks them: a network that is made anew has only the VFs that are here.
    The live network is ``recovered``, a dict of ``read_network``, where that is known already.
    """
    pfs = host_pfs(options["uri"])
    lent, taken = _lend(options, pfs, recovered)
    yield _judge(options, lent, check, warn, taken)
    if (lent, taken) != (pfs, frozenset()):
        yield _judge(options, pfs, check, warn)


def _lend(options: dict, pfs: list[dict] | None, live: dict | None) -> tuple[list[dict] | None, frozenset[str]]:
    """What ``lend_names`` tells of the network, if any VF of this host lacks its interface and libvirt can be asked."""
    if not pfs or options["state"] != "present" or all(vf["name"] for pf in pfs for vf in pf["vfs"]):
        return pfs, frozenset()
    if live is None:
        with suppress(SriovError), connection(options["uri"], readonly=True) as connected:
            network = find_network(connected, options["name"])
            live = read_network(network) if network is not None and network.isActive() else None
    return (pfs, frozenset()) if live is None else lend_names(pfs, live)


def _judge(options: dict, pfs: list[dict] | None, check: bool, warn: Callable[[str], None], taken: frozenset[str] = frozenset()) -> _View:
    if options["state"] == "absent":
        return _View({}, pfs)
    try:
        pool, warnings = _pool(options, pfs, taken)
    except NotYet as error:
        if options["state"] == "rendered" and options["pf"] is None:  # the list stays what it is, with or without its members
            warn(str(error))
            return _View(error.pool, pfs, False)
        if not check:
            raise
        warn(f"{error} In check mode an earlier task may only have planned that, so what is shown here is what follows it.")
        return _View(error.pool, pfs, False)
    root = definition(options, pool)
    if pfs and options["state"] == "present":
        warnings += unbound(root, pfs, Sysfs())
    for warning in warnings:
        warn(warning)
    return _View(pool, pfs)


class _Run:
    """One run with its connection, while it holds the lock of the daemon."""

    def __init__(self, connected: Any, options: dict, journal: Journal, check: bool, warn: Callable[[str], None]) -> None:
        self.connected, self.options, self.journal, self.check, self.warn = connected, options, journal, check, warn
        self.name = options["name"]

    def converge(self, views: Iterator[_View]) -> dict:
        """By the first view that will do: one that would renew the network needs the VFs that it gives to be here."""
        first = next(views)
        found = self._read()
        if first.pool is None:
            return self._foretell_no_more(found, first)
        recovery = plan_recovery(self.connected, self.name, found, self.journal, first.known, self.options["on_in_use"] == "force")
        if not self.check:
            recovery.plan.apply()
            close_record(self.connected, self.name, self.journal)
        before = found
        if recovery.plan.changed and found is not None:
            before = as_recovered(found, recovery, first.known) if self.check else self._read()
            # Until now it may not have been known what its consumers have taken away.
            views = _views(self.options, self.check, self.warn, before)
        else:
            views = chain([first], views)
        try:
            result = self._fulfil(views, found, before, recovery.forgotten)
        except SriovError as error:
            if recovery.plan.changed and not self.check:
                error.result.update(changed=True, actions=recovery.plan.actions)
            raise
        return {**result, "changed": recovery.plan.changed or result["changed"], "actions": recovery.plan.actions + result["actions"]}

    def _fulfil(self, views: Iterator[_View], found: dict | None, before: dict | None, forgotten: list[dict]) -> dict:
        """The result of all that comes after the recovery, which has made, or will have made, ``before`` of what was ``found``."""
        for view in views:
            if view.pool is None:
                return self._foretell_no_more(found, view)
            planner = self._plan(before, forgotten, view)
            if not planner.renews:
                break
        self._check_overlap(planner, view.known)
        for warning in planner.warnings + self._uses_of_the_host(planner, view.known):
            self.warn(warning)
        plan = planner.plan
        if not self.check:
            plan.apply()
            close_record(self.connected, self.name, self.journal)
        after = found if self.check else self._read() if plan.changed else before
        return {
            "changed": plan.changed,
            "actions": plan.actions,
            "diff": {"before": planner.before, "after": planner.after},
            "network": report(after, view.known) if after else None,
        }

    def _foretell_no_more(self, found: dict | None, view: _View) -> dict:
        """The result in check mode while it cannot be told what the pool will be."""
        actions = [f"bring the network {self.name} to its state, once its VFs are there"]
        return {"changed": True, "actions": actions, "diff": {"before": "", "after": ""}, "network": report(found, view.pfs) if found else None}

    def _plan(self, before: dict | None, forgotten: list[dict], view: _View) -> NetworkPlanner:
        planner = NetworkPlanner(self.connected, before, self.options, self.journal, forgotten)
        if self.options["state"] == "absent":
            planner.absent(view.known)
        else:
            planner.refuse_other_kind()
            planner.present(definition(self.options, view.pool or {}, before["xml_inactive"] if before else None), view.known)
        return planner

    def _check_overlap(self, planner: NetworkPlanner, pfs: list[dict] | None) -> None:
        """Only while the network runs is it known what a PF of another host has, so then it is looked at again."""
        wanted = planner.wanted
        if wanted is None or not (self.options["active"] or self.options["autostart"]):
            return
        pool, leases = pool_of(wanted), planner.leases + planner.forgotten
        pf = pool["pf"]
        if expected_members(pool, pfs) is None:

            def with_members(xml: str) -> dict:
                return {**pool_of(parse_network(xml)), "pf": pf}

            planner.started = lambda xml, entered: self._refuse_overlap(with_members(xml), pfs, entered, True)
            current = planner.current
            if current is not None and current["active"] and same_source(current, wanted):
                pool = with_members(current["xml"])
        self._refuse_overlap(pool, pfs, leases, planner.renews)

    def _uses_of_the_host(self, planner: NetworkPlanner, pfs: list[dict] | None) -> list[str]:
        """What to warn of members that the host uses: libvirt gives them to guests all the same. Only for a run that ``renews``."""
        wanted = planner.wanted
        if wanted is None or pfs is None or not planner.renews:
            return []
        try:
            used = used_by_the_host(Devices(pool_of(wanted), pfs), planner.leases + planner.forgotten, ask_links(pfs, beside)().by_name.values())
        except Unreadable as error:
            return [f"Whether this host itself uses VFs of the network {self.name} is not known: {error}."]
        said = f"libvirt gives guests of the network {self.name} also VFs that this host uses"
        return [f"{said}: {', '.join(f'{member} ({who})' for member, who in used.items())}. Free them, or leave them out (vfs)."] if used else []

    def _refuse_overlap(self, pool: dict, pfs: list[dict] | None, leases: list[dict], renews: bool) -> None:
        """Neither another network's VFs, nor what guests hold without a lease of this one: ``leases`` are those, known to libvirt or forgotten.

        A guest that took its VF when the network was there already is no reason to fail for a run that ``renews`` nothing.
        """
        devices, records = Devices(pool, pfs), recorded(self.options["uri"])
        overlaps = find_overlaps(self.connected, self.name, devices, records)
        held = held_otherwise(self.connected, self.name, devices, leases, set(overlaps))
        soon = ", for its rebuild was interrupted and is to be finished"
        said = [f"{name} hands out {', '.join(members)}{soon if name in records else ''}" for name, members in overlaps.items()] + held
        if not said:
            return
        message = f"The network {self.name} would hand out VFs that are not its alone, and libvirt would give one VF to two guests: {'; '.join(said)}"
        if held and pool["mode"] == "hostdev" and daemon_key(self.options["uri"]) != "system":
            message += ". If that is a lease of this network, which libvirt has forgotten, a run on the daemon's own host puts it back"
        if self.options["overlap"] == "fail" and (overlaps or renews):
            raise SriovError(f"{message}. Leave them out of one pool (vfs chooses VFs of a PF), or say overlap: warn.")
        self.warn(f"{message}.")

    def _read(self) -> dict | None:
        network = find_network(self.connected, self.name)
        return None if network is None else read_network(network)


def _pool(options: dict, pfs: list[dict] | None, taken: frozenset[str]) -> tuple[dict, list[str]]:
    """The pool that the options mean, and what to warn of."""
    sysfs = Sysfs()
    if pfs is None:
        _check_remote(options)
        warnings: list[str] = []
    elif options["pf"] is not None:
        add_altnames_for(options["pf"], pfs)
        return pool_of_pf(options, pfs, sysfs)
    else:
        pool = pool_of(definition(options, {kind: options[kind] for kind in ("interfaces", "addresses")}))
        warnings = check_list(pool, pfs, taken, sysfs) + _check_document_pf(pool, pfs, sysfs)
    return {kind: options[kind] for kind in ("pf", "interfaces", "addresses")}, warnings


def _check_remote(options: dict) -> None:
    """What only the kernel of the daemon's host tells cannot be asked for from here."""
    pf, said = options["pf"], f"and what {options['uri']} has is known on that host alone: run this there"
    if options["vfs"] is not None:
        raise SriovError(f"vfs chooses VFs of the PF {pf}, {said}, or list the VFs with interfaces or addresses.")
    if pf is not None and not is_interface_name(pf):
        raise SriovError(f"pf {pf!r} is no interface name but another mark of a PF, {said}, or name the PF's interface.")


def _check_document_pf(pool: dict, pfs: list[dict], sysfs: Sysfs) -> list[str]:
    """A document that names a PF stays as it is given, so libvirt itself must find the VFs. What to warn of."""
    pf = pool["pf"]
    if pf is None or members_of(pool):
        return []
    add_altnames_for(pf, pfs)
    found, warnings = pool_of_pf({"pf": pf, "vfs": None, "mode": pool["mode"]}, pfs, sysfs)
    if found != {"pf": pf}:
        said = f"libvirt knows the PF {pf} only as {found['pf']}." if "pf" in found else warnings[0]
        raise SriovError(f"The xml names the PF {pf}, from which libvirt cannot make the pool: {said} List its VFs, or use the option pf.")
    return warnings


def describe_networks(uri: str, names: list[str] | None, inactive: bool, warn: Callable[[str], None]) -> list[dict]:
    """The result of passthrough_network_info."""
    pfs = host_pfs(uri)
    to_do: dict[str, list[str]] = {}
    with connection(uri, readonly=True) as connected:
        networks = [found for found in (_read_if_there(network, names) for network in _choose(connected, names)) if found is not None]
        pooled = [network for network in networks if pool_of(parse_network(network["xml"]))["mode"] in POOL_MODES]
        guests = running_guests(connected) if pooled else []
        for network in pooled:
            recovery = _recovery_of(network, connected, guests, pfs, uri, warn)
            network["leases"] += recovery.restored + [lease for lease in map(fit_of(network, pfs), recovery.forgotten) if lease is not None]
            to_do[network["name"]] = recovery.plan.actions
    networks.sort(key=lambda network: network["name"])
    reports = [report(network, lend_names(pfs, network)[0] if pfs and network["active"] else pfs, inactive) for network in networks]
    for told in [] if inactive else reports:
        told["pool"]["stale"] += [f"a run of passthrough_network is to {action}" for action in to_do.get(told["name"], [])]
    return reports


def _recovery_of(network: dict, connected: Any, guests: list[str], pfs: list[dict] | None, uri: str, warn: Callable[[str], None]) -> Recovery:
    """The leases of ``network`` that libvirt does not know of, as far as they can be told."""
    name = network["name"]
    try:
        journal = Journal(network_key(name, uri), runtime_folder(daemon_key(uri)))
        return plan_recovery(connected, name, network, journal, pfs, guests=guests)
    except RecordUnreadable as error:
        warn(str(error))
        return Recovery(Plan(), [], forgotten_leases(connected, guests, name, network))


def _read_if_there(network: Any, names: list[str] | None) -> dict | None:
    """A network of the list of all, unless it has gone since. One that was asked for by its name must be there."""
    try:
        return read_network(network)
    except SriovError as error:
        if names is not None or error_code(error.__cause__) != NO_NETWORK:
            raise
        return None


def _choose(connected: Any, names: list[str] | None) -> list[Any]:
    with said_by_libvirt("list its networks"):
        networks = {network.name(): network for network in connected.listAllNetworks(0)}
    absent = [name for name in names or [] if name not in networks]
    if absent:
        raise SriovError(f"There is no network {', '.join(absent)}: the networks are {', '.join(sorted(networks)) or 'none'}.")
    return [networks[name] for name in dict.fromkeys(names)] if names is not None else list(networks.values())
