# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: from a PF as it is to the PF as it is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._in_use import affected, refuse_if_in_use, refuse_if_open, refuse_to_cut_off
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._persistence import Persistence
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import is_number_of_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import NOTHING, Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import ATTRIBUTES
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_drivers import VfDrivers
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_plan import VfPlan, leave_to_guests, refuse_late_guests, settings_to_keep
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_wish import wanted_vfs

__all__ = ["PfPlan"]

_REBIND = "change drivers or vectors of VFs"


class PfPlan:
    """The steps for one PF, with whom they affect and what they change. Making it writes nothing.

    ``wish`` holds what the user declared, under the names of the module's options; what is None stays as it is.
    ``look_again`` reads the PF with its holders anew, right before a VF is taken from them: a guest may have started meanwhile.
    It gives what ``pf`` and ``unknown_use`` are, which says why it is not known who uses some of the VFs. ``root`` is where the host's files lie.
    ``destroys_vfs`` tells whether the VFs that there are go, and ``warnings`` what of the wish waits, or of the host is overwritten.
    Raises SriovError for a wish that this PF cannot fulfil, and for one that would take a VF from its holder.
    """

    def __init__(
        self,
        pf: dict,
        wish: dict,
        kernel: PfKernel,
        drivers: VfDrivers,
        look_again: Callable[[], tuple[dict, list[str]]],
        unknown_use: Iterable[str] = (),
        root: str = "/",
    ) -> None:
        self.plan = Plan()
        self.affected: list[dict] = []
        self.warnings: list[str] = []
        self.before: dict = {}
        self.after: dict = {}
        self._pf, self._wish, self._kernel, self._drivers, self._look_again = pf, wish, kernel, drivers, look_again
        self._name = describe_pf(pf)
        if pf["num_vfs"] is None or pf["total_vfs"] is None:
            raise SriovError(f"How many VFs {self._name} has and can have cannot be read: see why with vfpool.sriov.sriov_vf_facts, in its incomplete list.")
        self._require_interface()
        self._refuse_mtu()
        num_vfs = _wanted_num_vfs(wish["num_vfs"], pf)
        count = pf["num_vfs"] if num_vfs is None else num_vfs
        declared = wanted_vfs(wish["vfs"], count, pf)
        # Without root the host's own files may be kept from us, too.
        if not kernel.may_write():
            raise SriovError(f"This run may not change {self._name}: run as root, with become.")
        persistence = Persistence(pf, wish, declared, count, root)
        self.warnings += [f"{path} was changed by hand since this collection wrote it, and is written anew." for path in persistence.edited]
        self.warnings += [f"What {path} declared cannot be told, so only what is said here is kept for the next boot." for path in persistence.untold]
        new_number = self._differs("num_vfs", pf["num_vfs"], num_vfs)
        new_mode = self._differs("eswitch_mode", self._eswitch_mode(), wish["eswitch_mode"])
        self._remakes_vfs = new_number or (new_mode and pf["num_vfs"] > 0)
        if self._remakes_vfs and pf["driver"] is None:
            raise SriovError(f"{self._name} has no driver, and the kernel makes no VFs without one: load the card's own driver.")
        self.destroys_vfs = self._remakes_vfs and pf["num_vfs"] > 0
        self._add_steps(count, new_mode, self._plan_of_vfs(declared, count), list(unknown_use))
        persistence.add_steps(self.plan)

    def _plan_of_vfs(self, declared: dict[int, dict], count: int) -> VfPlan:
        if not self._remakes_vfs and self._wish["on_in_use"] == "fail":
            declared, left = leave_to_guests(self._pf, declared)
            self.warnings += left
        return VfPlan(self._pf, declared, count, self._remakes_vfs, self._wish["drivers_autoprobe"], self._kernel, self._drivers)

    def _add_steps(self, count: int, new_mode: bool, vfs: VfPlan, unknown_use: list[str]) -> None:
        """In the one order that every driver takes: a switch's mode only without VFs, rates only with the link up."""
        self._plan_drivers_autoprobe(self._wish["drivers_autoprobe"])
        if self.destroys_vfs:
            self._plan_destruction(count, unknown_use)
        if new_mode:
            self._plan_eswitch_mode(self._wish["eswitch_mode"])
        self._plan_mtu(self._wish["mtu"])
        if self._remakes_vfs and count:
            make, undo = partial(self._kernel.make_vfs, count), partial(self._kernel.put_vfs_back, 0)
            self.plan.add(f"make {count} VFs on {self._name}", make, undo, partial(self._check, "destroy the VFs that are there now"))
        if self._wish["link"] is not None:
            self._plan_link(self._wish["link"], unknown_use)
        if not self._remakes_vfs:
            self._guard(vfs.loses_driver(), _REBIND, unknown_use)
        elif vfs.loses_driver():
            self._require_known_use(unknown_use)
        vfs.add_steps(self.plan, partial(self._check, _REBIND), self._check_attributes)
        before, after = vfs.diff()
        if before or after:
            self.before["vfs"], self.after["vfs"] = before, after

    def _require_interface(self) -> None:
        if self._pf["name"] is not None:
            return
        needy = [option for option in ("link", "mtu") if self._wish[option] is not None]
        if any(entry.get(attribute) is not None for entry in self._wish["vfs"] or [] for attribute in ATTRIBUTES):
            needy.append("the attributes of vfs")
        if needy:
            raise SriovError(f"{self._name} has no network interface, so {' and '.join(needy)} cannot be set: leave it out, or load the card's network driver.")

    def _refuse_mtu(self) -> None:
        """The kernel would refuse it, too, but only after the VFs were destroyed."""
        mtu = self._wish["mtu"]
        if mtu is None or mtu == self._pf["mtu"]:
            return
        least, most = self._kernel.mtu_limits()
        if mtu < least or (most and mtu > most):
            raise SriovError(f"mtu {mtu} is not one that {self._name} can have: write {least} {f'to {most}' if most else 'or more'}.")

    def _eswitch_mode(self) -> str | None:
        """A card without a switch is what others are in legacy mode."""
        mode: str | None = self._pf["eswitch_mode"]
        if mode is None and self._wish["eswitch_mode"] == "switchdev":
            raise SriovError(f"{self._name} has no switch whose mode could be chosen: leave eswitch_mode out, or write legacy.")
        return mode or "legacy"

    def _differs(self, option: str, now: Any, wanted: Any) -> bool:
        """Whether there is something to do; what is declared is shown by the diff in either case."""
        if wanted is None:
            return False
        self.before[option], self.after[option] = now, wanted
        return bool(now != wanted)

    def _guard(self, lost: list[int], change: str, unknown_use: list[str]) -> None:
        """Stop here if the plan would take one of the VFs from someone who may keep it."""
        self._refuse(self._pf, lost, change, unknown_use)
        self.affected = affected(self._pf, lost)

    def _refuse(self, pf: dict, lost: list[int], change: str, unknown_use: list[str]) -> None:
        if self._wish["on_in_use"] == "fail":
            refuse_if_in_use(pf, lost, change, unknown_use)
        refuse_if_open(pf, lost)

    def _check(self, change: str, lost: list[int] | None = None) -> None:
        """What ``_guard`` does, on what is so now; without ``lost``, for every VF that there is now."""
        pf, unknown_use = self._look_again()
        if lost is None:
            self._require_whole_list(pf, change)
        taken = [vf["index"] for vf in pf["vfs"]] if lost is None else lost
        self._refuse(pf, taken, change, unknown_use)
        self.affected += [entry for entry in affected(pf, taken) if entry not in self.affected]

    def _check_attributes(self, changes: dict[int, dict]) -> None:
        if self._wish["on_in_use"] == "fail":
            refuse_late_guests(self._look_again()[0], changes)

    def _require_known_use(self, unknown_use: list[str]) -> None:
        """New VFs are looked at once more before they get a driver. Where that will not tell who uses them, none is made."""
        if unknown_use and self._wish["on_in_use"] == "fail":
            said = f"Whether a guest takes new VFs of {self._name} before they have their drivers cannot be told ({'; '.join(unknown_use)})"
            raise SriovError(f"{said}: put that right, or say on_in_use: force.")

    def _require_whole_list(self, pf: dict, change: str) -> None:
        """Nobody was asked who holds a VF that has no link yet, or none any more, and it would go with the others."""
        if len(pf["vfs"]) != pf["num_vfs"] and self._wish["on_in_use"] == "fail":
            said = f"To {change} destroys all VFs of {self._name}, {pf['num_vfs']} by its count, but sysfs lists {len(pf['vfs'])}"
            raise SriovError(f"{said}, so who holds the others cannot be told: run this again when no VFs are being made, or say on_in_use: force.")

    def _plan_destruction(self, count: int, unknown_use: list[str]) -> None:
        now = self._pf["num_vfs"]
        change = f"change the number of VFs from {now} to {count}" if now != count else f"change eswitch_mode to {self._wish['eswitch_mode']}"
        self._require_whole_list(self._pf, change)
        self._guard([vf["index"] for vf in self._pf["vfs"]], change, unknown_use)
        kept, drivers = settings_to_keep(self._pf, now, self._kernel.mac_is_given), self._drivers.to_bring_back()

        def bring_back() -> None:
            if self._kernel.put_vfs_back(now):
                self._kernel.set_attributes(kept)
                self._drivers.bind_each(drivers)

        self.plan.add(f"destroy VF {format_ranges(range(now))} of {self._name}", self._kernel.destroy_vfs, bring_back, partial(self._check, change))

    def _plan_drivers_autoprobe(self, wanted: bool | None) -> None:
        now = self._pf["drivers_autoprobe"]
        if wanted is not None and self._differs("drivers_autoprobe", now, wanted):
            set_to = self._kernel.set_drivers_autoprobe
            self.plan.add(f"switch drivers_autoprobe of {self._name} {'on' if wanted else 'off'}", partial(set_to, wanted), partial(set_to, now))

    def _plan_eswitch_mode(self, wanted: str) -> None:
        set_to = self._kernel.set_eswitch_mode
        self.plan.add(f"set eswitch_mode of {self._name} to {wanted}", partial(set_to, wanted), partial(set_to, self._pf["eswitch_mode"]))

    def _plan_link(self, wanted: str, unknown_use: list[str]) -> None:
        now = "up" if self._kernel.is_up() else "down"
        if not self._differs("link", now, wanted):
            return
        # Of VFs that go, the holders are asked after already, and new ones have none yet.
        minds = wanted == "down" and not self._remakes_vfs and self._wish["on_in_use"] == "fail"
        if minds:
            refuse_to_cut_off(self._pf, unknown_use)

        def switch() -> None:
            if minds:
                refuse_to_cut_off(*self._look_again())
            self._kernel.set_link("link", wanted)

        def switch_back() -> str | None:
            if self._kernel.is_up() == (now == "up"):
                return NOTHING
            self._kernel.set_link("link", now)
            return None

        self.plan.add(_setting("link", self._name, now, wanted), switch, switch_back)

    def _plan_mtu(self, wanted: int | None) -> None:
        now, set_to = self._pf["mtu"], partial(self._kernel.set_link, "mtu")
        if self._differs("mtu", now, wanted):
            self.plan.add(_setting("mtu", self._name, now, wanted), partial(set_to, str(wanted)), partial(set_to, str(now)))


def _setting(option: str, name: str, now: Any, wanted: Any) -> str:
    return f"set {option} of {name} from {now} to {wanted}"


def _wanted_num_vfs(text: str | None, pf: dict) -> int | None:
    """The number that the option ``num_vfs`` means for this PF; SriovError when it cannot have so many."""
    if text is None:
        return None
    most: int = pf["total_vfs"]
    if text == "max":
        return most
    if not is_number_of_vfs(text):
        raise SriovError(f"num_vfs {text!r} is no number of VFs: write 0 to {most}, or max.")
    if most == 0 and int(text):
        raise SriovError(f"num_vfs {text} is more than {describe_pf(pf)} has, which is none: switch SR-IOV on in the BIOS, or in the card's own firmware.")
    if int(text) > most:
        raise SriovError(f"num_vfs {text} is more than {describe_pf(pf)} has: write {most} or less, or max.")
    return int(text)
