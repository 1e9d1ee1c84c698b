# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the steps from the network that there is to the one that is declared."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import libvirt, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import canonical, same_network
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import expected_members, members_of
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, network_text, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan

__all__ = ["plan_absent", "plan_present"]

_TITLES_SINCE = 9007000  # libvirt 9.7.0: networks have a title and a description


def plan_present(
    connected: Any, current: dict[str, Any] | None, wanted: Element, options: dict[str, Any], pfs: list[dict[str, Any]] | None
) -> Plan:
    """The plan that makes ``wanted`` the definition, and the live network what it says."""
    name = wanted.findtext("name")
    _check_version(connected, wanted)
    _check_uuid(current, wanted, name)
    plan = Plan()
    if current is None or not current["persistent"] or not same_network(parse_network(current["xml_inactive"]), wanted):
        _plan_define(plan, connected, current, wanted, name)
    if options["active"]:
        _plan_live(plan, connected, current, wanted, options, pfs, name)
    elif current is not None and current["active"]:
        _plan_stop(plan, connected, current, options, f"stop the network {name}")
    if (current is not None and current["autostart"]) != options["autostart"]:
        _plan_autostart(plan, connected, name, options["autostart"])
    return plan


def plan_absent(connected: Any, current: dict[str, Any] | None, options: dict[str, Any]) -> Plan:
    """The plan that leaves no network of that name."""
    plan = Plan()
    if current is None:
        return plan
    name = current["name"]
    if current["active"]:
        _plan_stop(plan, connected, current, options, f"stop the network {name}")
    if current["persistent"]:
        if current["autostart"]:
            _plan_autostart(plan, connected, name, False)
        plan.add(
            f"remove the definition of the network {name}",
            lambda: _call(connected, name, "undefine", f"remove the definition of the network {name}"),
            lambda: _define(connected, current["xml_inactive"], name),
        )
    return plan


def _check_version(connected: Any, wanted: Element) -> None:
    titles = [tag for tag in ("title", "description") if wanted.find(tag) is not None]
    version = connected.getLibVersion()
    if titles and version < _TITLES_SINCE:
        said = f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
        raise SriovError(f"libvirt {said} on that host has no {' and no '.join(titles)} for networks (9.7.0 has): leave it out, or upgrade libvirt.")


def _check_uuid(current: dict[str, Any] | None, wanted: Element, name: str) -> None:
    uuid = wanted.findtext("uuid")
    if current is not None and uuid is not None and uuid.lower() != current["uuid"]:
        said = f"The network {name} has the UUID {current['uuid']}, not {uuid}"
        raise SriovError(f"{said}, and a UUID cannot be changed: leave it out, or remove the network first.")


def _plan_define(plan: Plan, connected: Any, current: dict[str, Any] | None, wanted: Element, name: str) -> None:
    xml = network_text(wanted)
    previous = current["xml_inactive"] if current is not None and current["persistent"] else None

    def define() -> None:
        _define(connected, xml, name, libvirt().VIR_NETWORK_DEFINE_VALIDATE)
        _check_kept(connected, wanted, name)

    def undo() -> None:
        if previous is not None:
            _define(connected, previous, name)
        elif find_network(connected, name) is not None:
            _call(connected, name, "undefine", f"remove the definition of the network {name}")

    plan.add(f"{'define' if previous is None else 'change the definition of'} the network {name}", define, undo)


def _check_kept(connected: Any, wanted: Element, name: str) -> None:
    """What libvirt does not know it drops without a word: so what it stored must be what it was given."""
    stored = parse_network(connected.networkLookupByName(name).XMLDesc(libvirt().VIR_NETWORK_XML_INACTIVE))
    if wanted.find("uuid") is None:
        stored.remove(stored.find("uuid"))
    if not same_network(stored, wanted):
        raise SriovError(f"libvirt stored the network {name} otherwise than it was given, so that part of it would be lost: stored is {network_text(stored)}")


def _plan_live(
    plan: Plan,
    connected: Any,
    current: dict[str, Any] | None,
    wanted: Element,
    options: dict[str, Any],
    pfs: list[dict[str, Any]] | None,
    name: str,
) -> None:
    if current is None or not current["active"]:
        plan.add(f"start the network {name}", lambda: _start(connected, name), lambda: _stop_if_active(connected, name))
        return
    stale = _why_stale(parse_network(current["xml"]), wanted, pfs)
    if stale is None or options["refresh"] == "never":
        return
    if current["leases"]:
        raise SriovError(f"The live network {name} is to be rebuilt ({stale}), but guests hold its VFs ({_holders(current)}): stop them first.")
    _plan_stop(plan, connected, current, options, f"stop the network {name}: {stale}")
    plan.add(f"start the network {name} again", lambda: _start(connected, name), lambda: _stop_if_active(connected, name))


def _why_stale(live: Element, wanted: Element, pfs: list[dict[str, Any]] | None) -> str | None:
    """Why the live network is not what ``wanted`` gives now, or None."""
    if canonical(live, pool=False) != canonical(wanted, pool=False):
        return "its definition has changed"
    expected, members = expected_members(pool_of(wanted), pfs), members_of(pool_of(live))
    if expected is None or expected == members:
        return None
    missing = [member for member in expected if member not in members]
    surplus = [member for member in members if member not in expected]
    parts = [f"{word} {', '.join(found)}" for word, found in (("missing", missing), ("surplus", surplus)) if found]
    return f"its pool has changed ({'; '.join(parts) or 'order'})"


def _plan_stop(plan: Plan, connected: Any, current: dict[str, Any], options: dict[str, Any], title: str) -> None:
    name = current["name"]
    if current["leases"] and options["on_in_use"] != "force":
        raise SriovError(f"Guests hold VFs of the network {name} ({_holders(current)}): stop them first, or take the VFs from them with on_in_use=force.")
    plan.add(title, lambda: _call(connected, name, "destroy", f"stop the network {name}"), lambda: _start_if_inactive(connected, name))


def _holders(current: dict[str, Any]) -> str:
    def held(lease: dict[str, Any]) -> str:
        plug = lease["plug"] or {}
        return f"{lease['owner_name'] or lease['owner_uuid']} holds {plug.get('interface') or plug.get('address') or lease['mac']}"

    return ", ".join(map(held, current["leases"]))


def _plan_autostart(plan: Plan, connected: Any, name: str, autostart: bool) -> None:
    doing = f"switch {'on' if autostart else 'off'} autostart of the network {name}"
    plan.add(doing, lambda: _call(connected, name, "setAutostart", doing, autostart), lambda: _call(connected, name, "setAutostart", doing, not autostart))


def _define(connected: Any, xml: str, name: str, flags: int = 0) -> None:
    with said_by_libvirt(f"define the network {name}"):
        connected.networkDefineXMLFlags(xml, flags)


def _start(connected: Any, name: str) -> None:
    _call(connected, name, "create", f"start the network {name}")


def _start_if_inactive(connected: Any, name: str) -> None:
    if not connected.networkLookupByName(name).isActive():
        _start(connected, name)


def _stop_if_active(connected: Any, name: str) -> None:
    if connected.networkLookupByName(name).isActive():
        _call(connected, name, "destroy", f"stop the network {name}")


def _call(connected: Any, name: str, method: str, doing: str, *arguments: Any) -> None:
    with said_by_libvirt(doing):
        getattr(connected.networkLookupByName(name), method)(*arguments)
