# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the steps from the network that there is to the one that is declared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import running_owners
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import check_single, holders
from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import is_local, libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import plain_uuid, same_network
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, expected_members, fit, is_exclusive, why_stale
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, network_text, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import define_anew, find_network
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import NOTHING, Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._recovery import enter, fit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal

    Take = Callable[[dict], Optional[dict]]  # as `fit` gives it
    # Looks at the live XML of a network that was started and the leases that were entered, and raises SriovError if it may not run.
    Started = Callable[[str, list[dict]], object]

__all__ = ["NetworkPlanner", "same_source"]

_TITLES_SINCE = 9007000  # libvirt 9.7.0: networks have a title and a description
_SCHEMA = "/usr/share/libvirt/schemas/network.rng"


class NetworkPlanner:
    """Plans for one network. ``current`` is what ``read_network`` says of it, None where there is none.

    ``forgotten`` are leases that running guests hold and libvirt's ledger lacks: wherever their members come into the pool, they are entered.
    """

    def __init__(
        self, connected: Any, current: dict | None, options: dict, journal: Journal, forgotten: list[dict]
    ) -> None:
        self.connected, self.current, self.options, self.journal, self.forgotten = connected, current, options, journal, forgotten
        self.name: str = options["name"]
        self.leases: list[dict] = current["leases"] if current else []
        self.active = bool(current and current["active"])
        self.force = options["on_in_use"] == "force"
        self.plan = Plan()
        self.warnings: list[str] = []
        # The definition, as far as it is planned to change.
        self.before = self.after = network_text(parse_network(current["xml_inactive"])) if current else ""
        self.renews = False  # whether the plan defines, starts or rebuilds the network
        self.wanted: Element | None = None  # what `present` is to bring about
        self.started: Started = _nothing_to_see

    def absent(self, pfs: list[dict] | None) -> None:
        """Leave no network of that name."""
        if self.current is None:
            if self.force and self.journal.read():
                self.plan.add(f"give up what an interrupted rebuild of the network {self.name} was to put back", self.journal.remove)
            return
        self._check_uuid(self.options["uuid"])
        self.refuse_other_kind()
        self.after = ""
        if self.active:
            self._stop()
        else:
            take = fit_of(self.current, pfs)
            self._check_unused([lease for lease in self.forgotten if take(lease) is not None])
        if self.current["persistent"]:
            if self.current["autostart"]:
                self._autostart(False)
            before = self.current["xml_inactive"]
            doing = f"remove the definition of the network {self.name}"
            self.plan.add(doing, lambda: self._call("undefine", doing), lambda: self._define(before))

    def refuse_other_kind(self) -> None:
        """A network that hands out no devices has other users, and is none of those that are managed here."""
        mode = pool_of(parse_network(self.current["xml_inactive"]))["mode"] if self.current else POOL_MODES[0]
        if mode not in POOL_MODES:
            said = f"The network {self.name} has mode {mode or 'none'} and hands out no devices"
            raise SriovError(f"{said}, so this module neither changes nor removes it: name another, or remove it with virsh net-undefine.")

    def present(self, wanted: Element, pfs: list[dict] | None) -> None:
        """Make ``wanted`` the definition, and the live network what that gives with ``pfs`` (None where they are not known)."""
        self.wanted = wanted
        self._check_version(wanted)
        self._check_uuid(wanted.findtext("uuid"))
        if self.current is None or not self.current["persistent"] or not same_network(parse_network(self.current["xml_inactive"]), wanted):
            self._change_definition(wanted)
        if bool(self.current and self.current["autostart"]) != self.options["autostart"]:
            self._autostart(self.options["autostart"])
        pool = pool_of(wanted)
        expected = expected_members(pool, pfs)
        take = fit(pool["mode"], expected, pfs)
        forgotten = self._enterable(take)
        # Last: nothing can fail after a lease was touched.
        if self.options["active"] and self.current is not None and self.active:
            self._refresh(self.current, wanted, expected, take, forgotten)
        elif self.options["active"]:
            self._start(forgotten)
        elif self.active:
            self._stop()

    def _enterable(self, take: Take) -> list[dict]:
        """The forgotten leases as the pool takes them. A guest keeps a VF that is in no pool of this network."""
        outside = [lease for lease in self.forgotten if take(lease) is None]
        if outside:
            self.warnings.append(f"Guests that run hold what is not in the pool of the network {self.name} ({holders(outside)}): it is free when they stop.")
        return [taken for taken in map(take, self.forgotten) if taken is not None]

    def _check_version(self, wanted: Element) -> None:
        if not hasattr(libvirt(), "VIR_NETWORK_DEFINE_VALIDATE"):
            raise SriovError("The Python binding of libvirt on this host is older than 7.7, the first that refuses a misspelt network: install a later one.")
        titles = [tag for tag in ("title", "description") if wanted.find(tag) is not None]
        version = self.connected.getLibVersion()
        if titles and version < _TITLES_SINCE:
            said = f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
            raise SriovError(f"libvirt {said} on that host has no {' and no '.join(titles)} for networks (9.7.0 has): leave it out, or upgrade libvirt.")

    def _check_uuid(self, uuid: str | None) -> None:
        if uuid is None:
            return
        given, uuid = uuid, plain_uuid(uuid)
        if self.current is None:
            for network in self.connected.listAllNetworks(0):
                if plain_uuid(network.UUIDString()) == uuid:
                    raise SriovError(f"The network {network.name()} has the UUID {network.UUIDString()}, so {self.name} cannot have it: leave it out.")
        elif uuid != plain_uuid(self.current["uuid"]):
            said = f"The network {self.name} has the UUID {self.current['uuid']}, not {given}"
            raise SriovError(f"{said}, and a UUID cannot be changed: leave it out, or see whether this is the network that is meant.")

    def _change_definition(self, wanted: Element) -> None:
        self.renews = True
        self.after = xml = network_text(wanted)
        self._check_schema(wanted)
        previous = self.current["xml_inactive"] if self.current is not None and self.current["persistent"] else None

        def define() -> None:
            self._define(xml, libvirt().VIR_NETWORK_DEFINE_VALIDATE)
            self._check_kept(wanted)

        def undo() -> str | None:
            found = find_network(self.connected, self.name)
            if (found and found.XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE)) == previous:
                return NOTHING
            if previous is None:
                self._call("undefine", f"remove the definition of the network {self.name}")
            else:
                self._define(previous)
            return None

        self.plan.add(f"{'define' if previous is None else 'change the definition of'} the network {self.name}", define, undo)

    def _check_schema(self, wanted: Element) -> None:
        """Libvirt looks for itself when it defines a network, so this is for check mode, in which nothing is defined."""
        if is_local(self.options["uri"]) and os.path.exists(_SCHEMA):
            schema = etree().RelaxNG(file=_SCHEMA)
            if not schema.validate(wanted):
                wrong = "; ".join(error.message for error in schema.error_log)
                raise SriovError(f"The network {self.name} is not what libvirt's schema for networks allows ({wrong}): correct it.")

    def _check_kept(self, wanted: Element) -> None:
        """What libvirt does not know it drops without a word: so what it stored must be what it was given."""
        stored = parse_network(self._network().XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE))
        if wanted.find("uuid") is None:
            stored.remove(stored.find("uuid"))
        if not same_network(stored, wanted):
            said = " ".join(network_text(stored).split())
            raise SriovError(f"libvirt stored the network {self.name} otherwise than it was given, so that part of it would be lost: it stored {said}.")

    def _refresh(self, current: dict, wanted: Element, expected: list[str] | None, take: Take, forgotten: list[dict]) -> None:
        """Bring the live network up to date, as far as `refresh` and `on_in_use` allow."""
        live = parse_network(current["xml"])
        stays = expected is not None or same_source(current, wanted)
        stale = why_stale(live, wanted, expected, self.leases) or ([] if stays else [f"its pool is to be that of the PF {pool_of(wanted)['pf']}"])
        if not stale:
            return
        refresh = self.options["refresh"]
        if refresh == "never" or (refresh == "idle" and self.leases):
            why = f", and guests hold leases ({holders(self.leases)})" if refresh == "idle" else ""
            self.warnings.append(f"The live network {self.name} is stale ({'; '.join(stale)}) and stays so: refresh is {refresh}{why}.")
            return
        if not stays:
            take = _nothing_stays
        lost = [lease for lease in self.leases if take(lease) is not lease]
        if lost and not self.force:
            raise SriovError(
                f"The network {self.name} is to change ({'; '.join(stale)}), but its new pool lacks what guests hold ({holders(lost)}): "
                "stop them first, or take the VFs from them with on_in_use: force."
            )
        # Compiled only where there is something to rebuild.
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild

        if is_exclusive(wanted):
            check_single(self.name, [taken for taken in map(take, self.leases) if taken is not None] + forgotten)
        self.renews = True
        self.plan.add(
            f"rebuild the live network {self.name}{_what_becomes_of(self.leases, take, forgotten)}: {'; '.join(stale)}",
            lambda: rebuild(self._network(), self.journal, self.leases, take, self.force, forgotten, self.started),
            lambda: self._undo_rebuild(current),
        )

    def _undo_rebuild(self, current: dict) -> str | None:
        """The former definition comes first: what force took has its place only there."""
        from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import undo_rebuild

        record = self.journal.read()
        if record is None or not record["stopped"]:
            self.journal.remove()
            return NOTHING
        self._define(current["xml_inactive"])
        undo_rebuild(self._network(), self.journal, record)
        return None

    def _start(self, forgotten: list[dict]) -> None:
        self.renews = True

        def start() -> None:
            with said_by_libvirt(f"start the network {self.name}"):
                define_anew(self._network())
                self._network().create()
            enter(self.connected, self.name, forgotten)
            self.started(self._network().XMLDesc(0), forgotten)

        leases = f", and put back leases that libvirt has forgotten ({holders(forgotten)})" if forgotten else ""
        self.plan.add(f"start the network {self.name}{leases}", start, self._stop_again)

    def _stop_again(self) -> str | None:
        network = self._network()
        if not network.isActive():
            return NOTHING
        self._stop_unused(network, {lease["port"] for lease in self.forgotten})
        return None

    def _check_unused(self, leases: list[dict]) -> None:
        if leases and not self.force:
            raise SriovError(
                f"Guests hold VFs of the network {self.name} ({holders(leases)}): stop them first, or take the VFs from them with on_in_use: force."
            )

    def _stop(self) -> None:
        self._check_unused(self.leases)
        doing = f"stop the network {self.name}"
        taken = f", taking away {holders(self.leases)}" if self.leases else ""
        stop: Callable[[], object] = (lambda: self._call("destroy", doing)) if self.force else (lambda: self._stop_unused(self._network()))
        self.plan.add(doing + taken, stop, self._start_again)

    def _stop_unused(self, network: Any, entered: Collection[str] = ()) -> None:
        """Stop it unless there are other leases than those that were ``entered`` for guests that hold their VFs without a network just as well."""
        with said_by_libvirt(f"stop the network {self.name}"):
            leases = [lease for lease in read_leases(network) if lease["port"] not in entered]
            if leases:
                raise SriovError(f"Guests took VFs of the network {self.name} just now ({holders(leases)}), so it keeps running: run this again.")
            network.destroy()

    def _start_again(self) -> str | None:
        if self._network().isActive():
            return NOTHING
        ran = running_owners(self.connected)
        self._call("create", f"start the network {self.name}")
        enter(self.connected, self.name, self.leases, ran)
        return None

    def _autostart(self, autostart: bool) -> None:
        doing = f"switch {'on' if autostart else 'off'} autostart of the network {self.name}"
        self.plan.add(doing, lambda: self._call("setAutostart", doing, autostart), lambda: self._call("setAutostart", doing, not autostart))

    def _network(self) -> Any:
        with said_by_libvirt(f"look up the network {self.name}"):
            return self.connected.networkLookupByName(self.name)

    def _define(self, xml: str, flags: int = 0) -> None:
        with said_by_libvirt(f"define the network {self.name}"):
            self.connected.networkDefineXMLFlags(xml, flags)

    def _call(self, method: str, doing: str, *arguments: Any) -> None:
        network = self._network()
        with said_by_libvirt(doing):
            getattr(network, method)(*arguments)


def same_source(current: dict, wanted: Element) -> bool:
    """Of the PFs of another host only this is known: a pool of the same PF in the same mode has the same members, as long as its VFs stay.

    On a bridge of the host every guest has its place, as long as it is the same bridge.
    """
    live, defined = parse_network(current["xml"]), parse_network(current["xml_inactive"])
    # The live XML loses its PF when the daemon restarts.
    return pool_of(live)["mode"] == pool_of(wanted)["mode"] and (_source(live) or _source(defined)) == _source(wanted)


def _source(network: Element) -> str:
    source: str = network.xpath("string(forward/pf/@dev | bridge/@name)")
    return source


def _nothing_to_see(_xml: str, _leases: list[dict]) -> None:
    """How a network is looked at of which all was known before it was started."""


def _nothing_stays(_lease: dict) -> None:
    """How a pool takes leases of which it is not known to have any."""


def _what_becomes_of(leases: list[dict], take: Take, forgotten: list[dict]) -> str:
    """Of the leases in a rebuild, in words."""
    kept = [lease for lease in leases if take(lease) is lease] + forgotten
    gone = [lease for lease in leases if take(lease) is None]
    moved = [taken for lease in leases for taken in [take(lease)] if taken is not None and taken is not lease]
    words = f", keeping {len(kept)} leases" if kept else ""
    words += f", taking away {holders(gone)}" if gone else ""
    return words + (f", keeping from newcomers what guests hold by another name or mode ({holders(moved)})" if moved else "")
