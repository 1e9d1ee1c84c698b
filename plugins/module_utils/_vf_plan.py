# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the part of a plan that concerns the VFs of a PF one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import describe_holder, is_active
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import is_vfio
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import ATTRIBUTES, describe, settings
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_drivers import VfDrivers, as_declared, is_bound_as

__all__ = ["VfPlan", "leave_to_guests", "refuse_late_guests", "settings_to_keep"]

# What a VF has when it is made; a setting that differs was made by someone.
_FRESH = {
    "vlan": 0,
    "qos": 0,
    "vlan_proto": "802.1Q",
    "spoofchk": True,
    "trust": False,
    "link_state": "auto",
    "min_tx_rate": 0,
    "max_tx_rate": 0,
    "query_rss": False,
}
# What libvirt sets for a guest that gets a VF, and puts back when it ends.
_OF_GUESTS = ("mac", "vlan", "qos", "vlan_proto")
# A step's name lists this many different settings in full.
_LISTED = 6


def settings_to_keep(pf: dict, count: int, kernel_says: Callable[[dict], bool]) -> dict[int, dict]:
    """The settings that the first ``count`` VFs have from someone, so that making them anew does not lose what nobody mentioned.

    ``kernel_says`` tells whether a VF has its MAC address from an administrator rather than by chance.
    """
    kept = {}
    for vf in pf["vfs"]:
        config = vf["config"] or {} if vf["index"] < count else {}
        made = {name: config[name] for name in _FRESH if config.get(name) not in (None, _FRESH[name])}
        if config.get("mac") and kernel_says(vf):
            made["mac"] = config["mac"]
        if made:
            kept[vf["index"]] = made
    return kept


def leave_to_guests(pf: dict, wanted: dict[int, dict]) -> tuple[dict[int, dict], list[str]]:
    """``wanted`` without what libvirt has set otherwise for a guest that has the VF now, or may have it, and a sentence about each of these."""
    chosen, left = dict(wanted), []
    for vf in pf["vfs"]:
        index, config, reason = vf["index"], vf["config"] or {}, _why_left(vf)
        declared = wanted.get(index, {})
        waiting = {name: value for name, value in declared.items() if name in _OF_GUESTS and config.get(name) != value}
        now = {name: config.get(name) for name in waiting}
        if _is_lent(vf, declared.get("driver")):
            waiting["driver"], now["driver"] = declared["driver"], vf["driver"]
        if reason and waiting:
            chosen[index] = {name: value for name, value in declared.items() if name not in waiting}
            left.append(f"VF {index} of {describe_pf(pf)} goes on with {describe(now)} {reason}, to get {describe(waiting)}.")
    return chosen, left


def refuse_late_guests(pf: dict, changes: dict[int, dict]) -> None:
    """Raise SriovError where ``changes`` would set otherwise what libvirt has set meanwhile for a guest that got the VF since the plan was made."""
    for vf in pf["vfs"]:
        taken = [name for name in changes.get(vf["index"], ()) if name in _OF_GUESTS]
        if taken and _guests_of(vf):
            raise SriovError(
                f"The {' and '.join(taken)} of VF {vf['index']} of {describe_pf(pf)} cannot be set, because {_guests_of(vf)[0]} got the VF in the "
                "meantime: run this again when that has ended, or say on_in_use: force."
            )


def _is_lent(vf: dict, driver: str | None) -> bool:
    """Whether libvirt has most likely taken a VF from ``driver`` and given it to VFIO for a guest, to put it back when that ends."""
    return driver is not None and not is_bound_as(vf["driver"], driver) and is_vfio(vf["driver"]) and bool(_guests_of(vf))


def _guests_of(vf: dict) -> list[str]:
    """The running guests of libvirt that are known to have a VF, in words."""
    return [describe_holder(holder) for holder in vf["used_by"] or () if holder["kind"] in ("libvirt_port", "libvirt_domain") and is_active(holder)]


def _why_left(vf: dict) -> str:
    """Why a VF keeps what libvirt may have set for a guest, and what to do; empty where no guest has it."""
    if vf["used_by"] is None:
        return "because it is not known whether a guest has it: run this again when that is known"
    guests = _guests_of(vf)
    return f"for {guests[0]}: run this again when that has ended" if guests else ""


class VfPlan:
    """What is declared for the VFs, against what they are. ``count`` is the number of VFs that there will be, and ``remade`` whether all are new.

    ``autoprobe`` is the option `drivers_autoprobe`: whether the kernel is to give new ones the card's own driver, None for what it does now.
    """

    def __init__(self, pf: dict, wanted: dict[int, dict], count: int, remade: bool, autoprobe: bool | None, kernel: PfKernel, drivers: VfDrivers) -> None:
        self._pf, self._count, self._remade, self._autoprobe, self._kernel, self._drivers = pf, count, remade, autoprobe, kernel, drivers
        self._name = describe_pf(pf)
        self._now = {vf["index"]: vf for vf in pf["vfs"]}
        self._wanted = wanted
        if not remade:
            self._refuse_unlisted()
        self._attributes = {index: _only(declared, ATTRIBUTES) for index, declared in wanted.items()}
        self._vectors = {index: declared["msix_count"] for index, declared in wanted.items() if "msix_count" in declared}
        self._binding = {index: declared["driver"] for index, declared in wanted.items() if "driver" in declared}
        for driver in sorted(set(self._binding.values())):
            drivers.refuse_impossible(driver)
        if self._vectors:
            drivers.refuse_msix()

    def _refuse_unlisted(self) -> None:
        unlisted = self._wanted.keys() - self._now
        if unlisted:
            raise SriovError(
                f"vfs names VF {format_ranges(unlisted)} of {self._name}, which sysfs does not list: run this again when all VFs are made, "
                "or make one that was removed by itself anew with all others, by num_vfs: 0 and then their number."
            )

    def loses_driver(self) -> list[int]:
        """The VFs that lose their present driver, if only for a moment."""
        return sorted({*self._new_vectors(), *self._new_drivers()})

    def add_steps(self, plan: Plan, check: Callable[[list[int]], object], check_attributes: Callable[[dict[int, dict]], object]) -> None:
        """``check`` raises SriovError when someone holds one of the VFs, ``check_attributes`` when a guest got one of which it would change what is
        the guest's; also a VF that was made anew may have found a guest.
        """
        self._add_attributes(plan, check_attributes)
        for index, vectors in self._new_vectors().items():
            old = None if self._remade else self._now[index]["msix_count"]
            set_to = partial(self._drivers.set_msix_count, index)
            words = f"set msix_count of VF {index} of {self._name} to {vectors}"
            plan.add(words, partial(set_to, vectors), old and partial(set_to, old), partial(check, [index]))
        for driver, indices in _grouped(self._new_drivers()):
            words = "take VF {} of {} from its driver" if driver == "none" else "bind VF {} of {} to " + driver
            undo = None if self._remade else partial(self._bind_back, indices)
            plan.add(words.format(format_ranges(indices), self._name), partial(self._drivers.bind, indices, driver), undo, partial(check, indices))

    def _add_attributes(self, plan: Plan, check: Callable[[dict[int, dict]], object]) -> None:
        configs = {index: vf["config"] or {} for index, vf in self._now.items()}
        changes = self._attributes_of_new_vfs() if self._remade else self._other_attributes(configs)
        if changes:
            old = {index: {name: configs[index][name] for name in news if name in configs.get(index, {})} for index, news in changes.items()}
            undo = None if self._remade else partial(self._kernel.set_attributes, old)  # new VFs go again
            plan.add(f"set {_listed(changes)} of {self._name}", partial(self._kernel.set_attributes, changes), undo, partial(check, changes))

    def _attributes_of_new_vfs(self) -> dict[int, dict]:
        kept = settings_to_keep(self._pf, self._count, self._kernel.mac_is_given)
        wanted = {index: {**kept.get(index, {}), **self._attributes.get(index, {})} for index in sorted({*kept, *self._attributes})}
        return {index: attributes for index, attributes in wanted.items() if attributes}

    def _other_attributes(self, configs: dict[int, dict]) -> dict[int, dict]:
        changes: dict[int, dict] = {}
        for setting in settings(configs, self._attributes):
            news = {name: value for name, value in setting.values.items() if configs[setting.vf].get(name) != value}
            changes.setdefault(setting.vf, {}).update(news)
        return changes

    def _new_vectors(self) -> dict[int, int]:
        return {index: count for index, count in self._vectors.items() if self._remade or self._now[index]["msix_count"] != count}

    def _new_drivers(self) -> dict[int, str]:
        if not self._remade:
            return {index: driver for index, driver in self._binding.items() if not is_bound_as(self._now[index]["driver"], driver)}
        kept = self._drivers.to_keep(self._count)
        if self._autoprobe is False:  # which is said of the card's own driver
            kept = {index: driver for index, driver in kept.items() if driver != "default"}
        probed = (self._pf["drivers_autoprobe"] if self._autoprobe is None else self._autoprobe) is not False  # a kernel without that switch probes
        return {index: driver for index, driver in {**kept, **self._binding}.items() if driver != "default" or not probed}

    def _bind_back(self, indices: list[int]) -> None:
        self._drivers.bind_each({index: as_declared(self._now[index]["driver"]) for index in indices})

    def diff(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """Each VF that something is declared for, or all where they are made anew, before and after."""
        before, after = {}, {}
        for index in sorted({*self._now, *range(self._count)} if self._remade else self._wanted):
            declared = self._wanted.get(index, {})
            if index in self._now:
                before[index] = {name: self._value(index, name) for name in declared}
            if index < self._count:
                after[index] = dict(declared)
            if self._remade:
                self._add_addresses(index, before, after)
        return before, after

    def _value(self, index: int, name: str) -> Any:
        vf = self._now[index]
        if name == "driver":
            wanted = self._binding[index]
            return wanted if is_bound_as(vf["driver"], wanted) else vf["driver"] or "none"
        return vf["msix_count"] if name == "msix_count" else (vf["config"] or {}).get(name)

    def _add_addresses(self, index: int, before: dict[int, Any], after: dict[int, Any]) -> None:
        """Where the VF is and where it will be, if the card keeps its offset and stride."""
        if index in before:
            before[index] = {"pci_address": self._now[index]["pci_address"], **before[index]}
        if index in after and self._pf["vf_offset"] and self._pf["vf_stride"] is not None:
            distance = self._pf["vf_offset"] + index * self._pf["vf_stride"]
            after[index] = {"pci_address": _later_address(self._pf["pci_address"], distance), **after[index]}


def _later_address(address: str, distance: int) -> str:
    """The address ``distance`` routing IDs after a normal address: where a PF's VF offset and stride lead."""
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    routing_id = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(function)) + distance
    return f"{domain}:{routing_id >> 8:02x}:{routing_id >> 3 & 31:02x}.{routing_id & 7}"


def _only(values: dict, names: tuple[str, ...]) -> dict:
    return {name: values[name] for name in names if name in values}


def _grouped(values: dict[int, Any]) -> list[tuple[Any, list[int]]]:
    """Each value with the VFs that have it, in the order of the first of these."""
    groups: dict[str, tuple[Any, list[int]]] = {}
    for index in sorted(values):
        groups.setdefault(repr(values[index]), (values[index], []))[1].append(index)
    return list(groups.values())


def _listed(changes: dict[int, dict]) -> str:
    groups = _grouped(changes)
    if len(groups) > _LISTED:
        return f"attributes of VF {format_ranges(changes)}"
    return "; ".join(f"{describe(values)} of VF {format_ranges(indices)}" for values, indices in groups)
