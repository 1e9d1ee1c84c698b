# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the steps from the network that there is to the one that is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import holders, leases_within, member_of, read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import same_network
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import expected_members, why_stale
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, network_text, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network, read_network
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import interrupted, rebuild, restore
from ansible_collections.vfpool.sriov.plugins.module_utils._recovery import enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal

__all__ = ["NetworkPlanner"]

_TITLES_SINCE = 9007000  # libvirt 9.7.0: networks have a title and a description


class NetworkPlanner:
    """Plans for one network. ``current`` is what ``read_network`` says of it, None where there is none.

    ``forgotten`` are leases that running guests hold and libvirt's ledger lacks: wherever their members come into the pool, they are entered.
    """

    def __init__(
        self, connected: Any, current: dict[str, Any] | None, options: dict[str, Any], journal: Journal, forgotten: list[dict[str, Any]]
    ) -> None:
        self.connected, self.current, self.options, self.journal, self.forgotten = connected, current, options, journal, forgotten
        self.name: str = options["name"]
        self.leases: list[dict[str, Any]] = current["leases"] if current else []
        self.active = bool(current and current["active"])
        self.force = options["on_in_use"] == "force"
        self.plan = Plan()
        self.warnings: list[str] = []

    def absent(self, pfs: list[dict[str, Any]] | None) -> Plan:
        """Leave no network of that name."""
        if self.current is None:
            return self.plan
        if self.active:
            self._stop()
        else:
            held = leases_within(self.forgotten, expected_members(pool_of(parse_network(self.current["xml_inactive"])), pfs))
            self._check_unused(held)
        if self.current["persistent"]:
            if self.current["autostart"]:
                self._autostart(False)
            before = self.current["xml_inactive"]
            doing = f"remove the definition of the network {self.name}"
            self.plan.add(doing, lambda: self._call("undefine", doing), lambda: self._define(before))
        return self.plan

    def present(self, wanted: Element, pfs: list[dict[str, Any]] | None) -> Plan:
        """Make ``wanted`` the definition, and the live network what that gives with ``pfs`` (None where they are not known)."""
        self._check_version(wanted)
        self._check_uuid(wanted)
        if self.current is None or not self.current["persistent"] or not same_network(parse_network(self.current["xml_inactive"]), wanted):
            self._change_definition(wanted)
        if bool(self.current and self.current["autostart"]) != self.options["autostart"]:
            self._autostart(self.options["autostart"])
        expected = expected_members(pool_of(wanted), pfs)
        self._check_renamed(expected, pfs)
        # Last: nothing can fail after a lease was touched.
        if self.options["active"] and self.current is not None and self.active:
            self._refresh(self.current, wanted, expected)
        elif self.options["active"]:
            self._start(leases_within(self.forgotten, expected))
        elif self.active:
            self._stop()
        return self.plan

    def _check_renamed(self, expected: list[str] | None, pfs: list[dict[str, Any]] | None) -> None:
        """A guest keeps a VF that is in no pool of this network. If the pool has it under its other name, it would be handed out again."""
        outside = [lease for lease in self.forgotten if lease not in leases_within(self.forgotten, expected)]
        if outside:
            self.warnings.append(f"Guests that run hold what is not in the pool of the network {self.name} ({holders(outside)}): it is free when they stop.")
        other = {vf[one]: vf[two] for pf in pfs or [] for vf in pf["vfs"] for one, two in (("name", "pci_address"), ("pci_address", "name"))}
        twice = [lease for lease in outside if other.get(member_of(lease)) in (expected or [])]
        if twice and self.options["active"] and not self.active and not self.force:
            raise SriovError(f"The network {self.name} would hand out VFs that guests hold ({holders(twice)}): stop them first, or set on_in_use=force.")

    def _check_version(self, wanted: Element) -> None:
        titles = [tag for tag in ("title", "description") if wanted.find(tag) is not None]
        version = self.connected.getLibVersion()
        if titles and version < _TITLES_SINCE:
            said = f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
            raise SriovError(f"libvirt {said} on that host has no {' and no '.join(titles)} for networks (9.7.0 has): leave it out, or upgrade libvirt.")

    def _check_uuid(self, wanted: Element) -> None:
        uuid = wanted.findtext("uuid")
        if self.current is not None and uuid is not None and uuid.lower() != self.current["uuid"]:
            said = f"The network {self.name} has the UUID {self.current['uuid']}, not {uuid}"
            raise SriovError(f"{said}, and a UUID cannot be changed: leave it out, or remove the network first.")

    def _change_definition(self, wanted: Element) -> None:
        xml = network_text(wanted)
        previous = self.current["xml_inactive"] if self.current is not None and self.current["persistent"] else None

        def define() -> None:
            self._define(xml, libvirt().VIR_NETWORK_DEFINE_VALIDATE)
            self._check_kept(wanted)

        def undo() -> None:
            if previous is not None:
                self._define(previous)
            elif find_network(self.connected, self.name) is not None:
                self._call("undefine", f"remove the definition of the network {self.name}")

        self.plan.add(f"{'define' if previous is None else 'change the definition of'} the network {self.name}", define, undo)

    def _check_kept(self, wanted: Element) -> None:
        """What libvirt does not know it drops without a word: so what it stored must be what it was given."""
        stored = parse_network(self._network().XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE))
        if wanted.find("uuid") is None:
            stored.remove(stored.find("uuid"))
        if not same_network(stored, wanted):
            said = " ".join(network_text(stored).split())
            raise SriovError(f"libvirt stored the network {self.name} otherwise than it was given, so that part of it would be lost: it stored {said}.")

    def _refresh(self, current: dict[str, Any], wanted: Element, expected: list[str] | None) -> None:
        """Bring the live network up to date, as far as `refresh` and `on_in_use` allow."""
        live = parse_network(current["xml"])
        stale = why_stale(live, wanted, expected, self.leases)
        if not stale:
            return
        refresh = self.options["refresh"]
        if refresh == "never" or (refresh == "idle" and self.leases):
            why = f", and guests hold leases ({holders(self.leases)})" if refresh == "idle" else ""
            self.warnings.append(f"The live network {self.name} is stale ({'; '.join(stale)}) and stays so: refresh is {refresh}{why}.")
            return
        pool = pool_of(live)
        # The live XML loses its PF when the daemon restarts.
        pool["pf"] = pool["pf"] or pool_of(parse_network(current["xml_inactive"]))["pf"]
        loses = self._loses(pool, pool_of(wanted), expected)
        lost = [lease for lease in self.leases if loses(lease)]
        if lost and not self.force:
            raise SriovError(
                f"The network {self.name} is to change ({'; '.join(stale)}), but its new pool lacks what guests hold ({holders(lost)}): "
                "stop them first, or take the VFs from them with on_in_use=force."
            )
        forgotten = leases_within(self.forgotten, expected)
        kept = [lease for lease in self.leases if lease not in lost] + forgotten
        leases = (f", keeping {len(kept)} leases" if kept else "") + (f", taking away {holders(lost)}" if lost else "")
        self.plan.add(
            f"rebuild the live network {self.name}{leases}: {'; '.join(stale)}",
            lambda: rebuild(self._network(), self.journal, self.leases, loses, self.force, forgotten),
            self._undo_rebuild,
        )

    @staticmethod
    def _loses(live: dict[str, Any], wanted: dict[str, Any], expected: list[str] | None) -> Callable[[dict[str, Any]], bool]:
        if live["mode"] != wanted["mode"]:
            return lambda _: True
        if expected is None:  # the PFs of another host: only the VFs of the same PF are known to stay
            return lambda _: live["pf"] != wanted["pf"]
        members = frozenset(expected)
        return lambda lease: member_of(lease) not in members

    def _undo_rebuild(self) -> None:
        record = self.journal.read()
        if record is not None:
            network = self._network()
            restore(network, self.journal, interrupted(record, read_network(network)))

    def _start(self, forgotten: list[dict[str, Any]]) -> None:
        def start() -> None:
            self._call("create", f"start the network {self.name}")
            enter(self.connected, self.name, forgotten)

        leases = f", and put back leases that libvirt has forgotten ({holders(forgotten)})" if forgotten else ""
        self.plan.add(f"start the network {self.name}{leases}", start, self._stop_again)

    def _stop_again(self) -> None:
        network = self._network()
        if network.isActive():
            self._stop_unused(network)

    def _check_unused(self, leases: list[dict[str, Any]]) -> None:
        if leases and not self.force:
            raise SriovError(
                f"Guests hold VFs of the network {self.name} ({holders(leases)}): stop them first, or take the VFs from them with on_in_use=force."
            )

    def _stop(self) -> None:
        self._check_unused(self.leases)
        doing = f"stop the network {self.name}"
        taken = f", taking away {holders(self.leases)}" if self.leases else ""
        stop: Callable[[], object] = (lambda: self._call("destroy", doing)) if self.force else (lambda: self._stop_unused(self._network()))
        self.plan.add(doing + taken, stop, self._start_again)

    def _stop_unused(self, network: Any) -> None:
        with said_by_libvirt(f"stop the network {self.name}"):
            leases = read_leases(network)
            if leases:
                raise SriovError(f"Guests took VFs of the network {self.name} just now ({holders(leases)}), so it keeps running: run this again.")
            network.destroy()

    def _start_again(self) -> None:
        if not self._network().isActive():
            self._call("create", f"start the network {self.name}")
            enter(self.connected, self.name, self.leases)

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
