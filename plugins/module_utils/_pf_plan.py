# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: from a PF as it is to the PF as it is declared."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._in_use import affected, refuse_if_in_use, refuse_if_open
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import describe_pf

__all__ = ["PfPlan", "wanted_num_vfs"]


class PfPlan:
    """The steps for one PF, with whom they affect and what they change. Making it writes nothing.

    ``wish`` holds what the user declared, under the names of the module's options; what is None stays as it is.
    Raises SriovError for a wish that this PF cannot fulfil, and for one that would take a VF from its holder.
    """

    def __init__(self, pf: dict[str, Any], wish: dict[str, Any], kernel: PfKernel, unknown_use: Iterable[str] = ()) -> None:
        self.plan = Plan()
        self.affected: list[dict[str, Any]] = []
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self._pf = pf
        self._kernel = kernel
        self._name = describe_pf(pf)
        self._require_interface(wish)
        if not kernel.may_write():
            raise SriovError(f"This run may not change {self._name}: run as root, with become.")
        self._plan_drivers_autoprobe(wish["drivers_autoprobe"])
        self._plan_mtu(wish["mtu"])
        self._plan_num_vfs(wanted_num_vfs(wish["num_vfs"], pf), wish["on_in_use"], unknown_use)
        self._plan_link(wish["link"])

    def _require_interface(self, wish: dict[str, Any]) -> None:
        needy = [option for option in ("link", "mtu") if wish[option] is not None]
        if needy and self._pf["name"] is None:
            raise SriovError(f"{self._name} has no network interface, so {' and '.join(needy)} cannot be set: leave it out, or load the card's network driver.")

    def _differs(self, option: str, now: Any, wanted: Any) -> bool:
        """Whether there is something to do; what is declared is shown by the diff in either case."""
        if wanted is None:
            return False
        self.before[option], self.after[option] = now, wanted
        return bool(now != wanted)

    def _plan_drivers_autoprobe(self, wanted: bool | None) -> None:
        now = self._pf["drivers_autoprobe"]
        if wanted is not None and self._differs("drivers_autoprobe", now, wanted):
            set_to = self._kernel.set_drivers_autoprobe
            self.plan.add(f"switch drivers_autoprobe of {self._name} {'on' if wanted else 'off'}", partial(set_to, wanted), partial(set_to, now))

    def _plan_num_vfs(self, wanted: int | None, on_in_use: str, unknown_use: Iterable[str]) -> None:
        now = self._pf["num_vfs"]
        if not self._differs("num_vfs", now, wanted):
            return
        kernel = self._kernel
        if now:
            lost = [vf["index"] for vf in self._pf["vfs"]]
            if on_in_use == "fail":
                refuse_if_in_use(self._pf, lost, f"change the number of VFs from {now} to {wanted}", unknown_use)
            refuse_if_open(self._pf, lost)
            self.affected = affected(self._pf, lost)
            self.plan.add(f"destroy VF {format_ranges(range(now))} of {self._name}", kernel.destroy_vfs, partial(kernel.put_vfs_back, now))
        if wanted:
            self.plan.add(f"make {wanted} VFs on {self._name}", partial(kernel.make_vfs, wanted), partial(kernel.put_vfs_back, 0))

    def _plan_link(self, wanted: str | None) -> None:
        if wanted is not None:
            self._plan_interface("link", "up" if self._kernel.is_up() else "down", wanted)

    def _plan_mtu(self, wanted: int | None) -> None:
        self._plan_interface("mtu", self._pf["mtu"], wanted)

    def _plan_interface(self, option: str, now: Any, wanted: Any) -> None:
        if self._differs(option, now, wanted):
            set_to = partial(self._kernel.set_link, self._pf["name"], option)
            self.plan.add(f"set {option} of {self._name} from {now} to {wanted}", partial(set_to, str(wanted)), partial(set_to, str(now)))

    @property
    def diff(self) -> dict[str, str]:
        return {
            "before_header": self._name,
            "after_header": self._name,
            "before": _yaml(self.before),
            "after": _yaml(self.after),
        }


def wanted_num_vfs(text: str | None, pf: dict[str, Any]) -> int | None:
    """The number that the option ``num_vfs`` means for this PF; SriovError when it cannot have so many."""
    if text is None:
        return None
    most: int = pf["total_vfs"]
    if text == "max":
        return most
    if not text.isdecimal():
        raise SriovError(f"num_vfs {text!r} is no number of VFs: write 0 to {most}, or max.")
    if int(text) > most:
        raise SriovError(f"num_vfs {text} is more than {describe_pf(pf)} has: write {most} or less, or max.")
    return int(text)


def _yaml(state: dict[str, Any]) -> str:
    return "".join(f"{key}: {_scalar(value)}\n" for key, value in state.items())


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
