# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: who would lose a VF to a plan (pure: the dicts of the facts in, no I/O)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import describe_holder, is_active
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._guests import NO_LIBVIRT
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import is_vfio
from ansible_collections.vfpool.sriov.plugins.module_utils._link import UNNAMED, UNSETTLED
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges

__all__ = ["affected", "refuse_if_in_use", "refuse_if_open", "refuse_to_cut_off", "renamed", "without_libvirt"]

_FREE_OR_FORCE = "free them first, or say on_in_use: force"
_USED_BY = re.compile(r"vfs\[(.+)\]\.used_by")


def affected(pf: dict, indices: Iterable[int]) -> list[dict]:
    """Each known holder of one of the VFs: its entry of the VF's ``used_by``, with the ``vf`` that it holds."""
    lost = set(indices)
    return [{"vf": vf["index"], **holder} for vf in pf["vfs"] if vf["index"] in lost for holder in vf["used_by"] or []]


def refuse_if_in_use(pf: dict, indices: Iterable[int], change: str, reasons: Iterable[str] = ()) -> None:
    """Raise SriovError, naming every holder, when ``change`` would take one of the VFs from someone.

    A VF whose use is not known counts as held; ``reasons`` says why it is not known.
    """
    lost = set(indices)
    holders = affected(pf, lost)
    held = _held(pf, lost, holders, reasons)
    if held:
        remedy = "free them first" if _open_by_vfio(pf, lost) else _FREE_OR_FORCE
        raise SriovError(f"To {change} takes VF {format_ranges(lost)} of {describe_pf(pf)} away, but {held}: {remedy}.", affected=holders)


def refuse_to_cut_off(pf: dict, reasons: Iterable[str] = ()) -> None:
    """Raise SriovError when someone uses, or may use, a VF of ``pf`` now: on most cards it has no connection while the PF's link is down."""
    indices = {vf["index"] for vf in pf["vfs"]}
    users = [holder for holder in affected(pf, indices) if is_active(holder)]
    held = _held(pf, indices, users, reasons)
    if held:
        raise SriovError(f"With the link of {describe_pf(pf)} down its VFs have no connection, but {held}: {_FREE_OR_FORCE}.", affected=users)


def _held(pf: dict, indices: set[int], holders: list[dict], reasons: Iterable[str]) -> str:
    """That ``holders`` hold VFs, and which of ``indices`` may be held as well, in words; empty where there is neither."""
    parts = [f"VF {holder['vf']} is held by {describe_holder(holder)}" for holder in holders]
    unknown = [vf["index"] for vf in pf["vfs"] if vf["index"] in indices and vf["used_by"] is None]
    if unknown:
        why = f" ({'; '.join(reasons)})" if reasons else ""
        parts.append(f"whether VF {format_ranges(unknown)} is in use is not known{why}")
    return ", ".join(parts)


def refuse_if_open(pf: dict, indices: Iterable[int]) -> None:
    """Raise SriovError when a process has one of the VFs open by VFIO: no force takes it from there.

    The kernel asks the process to let go and waits for ever, and meanwhile nothing can read the PF's number of VFs.
    """
    holders = _open_by_vfio(pf, set(indices))
    if holders:
        held = ", ".join(f"VF {holder['vf']} of {describe_pf(pf)} is open in {describe_holder(holder)}" for holder in holders)
        raise SriovError(f"{held}, and the kernel takes a VF from nobody who has it open by VFIO: stop or detach it there first.", affected=holders)


def _open_by_vfio(pf: dict, lost: set[int]) -> list[dict]:
    vfio = [vf["index"] for vf in pf["vfs"] if vf["index"] in lost and is_vfio(vf["driver"])]
    return [holder for holder in affected(pf, vfio) if is_active(holder)]


def without_libvirt(sriov: dict) -> list[dict]:
    """The PFs of the facts for a plan that may take VFs: where libvirt is not installed, none of its guests holds one.

    For the facts such a VF's use is not known. For the plan it is free, unless something else is in doubt, too.
    """
    doubted: dict[str, set[int]] = {pf["pci_address"]: set() for pf in sriov["pfs"]}
    for pf_address, indices, reason in _doubts(sriov):
        if reason != NO_LIBVIRT:
            doubted[pf_address].update(indices)

    def settled(vf: dict, doubts: set[int]) -> dict:
        return {**vf, "used_by": []} if vf["used_by"] is None and vf["index"] not in doubts else vf

    return [{**pf, "vfs": [settled(vf, doubted[pf["pci_address"]]) for vf in pf["vfs"]]} for pf in sriov["pfs"]]


def renamed(sriov: dict) -> set[int]:
    """The VFs of which it is not known who uses them because udev renames their interfaces: it is about to, or did before ``ip`` was asked."""
    return {index for _pf, indices, reason in _doubts(sriov) if reason.startswith((UNNAMED, UNSETTLED)) for index in indices}


def _doubts(sriov: dict) -> Iterator[tuple[str, list[int], str]]:
    """Of each PF the VFs whose use is not known, and why."""
    for entry in sriov["incomplete"]:
        match = _USED_BY.fullmatch(entry["part"])
        if match:
            yield entry["pf"], parse_ranges(match[1]), entry["reason"]
