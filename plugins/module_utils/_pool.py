# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the interface pool of a PF (pure: dicts in, lists out, no I/O)."""

from __future__ import annotations

import re

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import describe_pf, select_pf

__all__ = ["interface_pool", "pool_vfs"]

# A part of `incomplete`: some VFs, and which of their keys is not known (all of them where none is named).
_OF_VFS = re.compile(r"vfs\[(.+)\](?:\.(.+))?")


def pool_vfs(pf: dict, vfs: str | None = None) -> list[dict]:
    """The VFs of ``pf`` in index order, all of them or those in the range ``vfs``.

    Raises SriovError for a malformed range and for an index that the PF does not have.
    """
    by_index = {vf["index"]: vf for vf in pf["vfs"]}
    if vfs is None:
        return [by_index[index] for index in sorted(by_index)]
    wanted = parse_ranges(vfs)
    absent = [index for index in wanted if index not in by_index]
    if absent:
        has = f"has the VFs {format_ranges(by_index)}" if by_index else "has no VFs"
        raise SriovError(f"vfs {vfs!r} names VF {format_ranges(absent)}, but {describe_pf(pf)} {has}: name only those, or make more VFs first.")
    return [by_index[index] for index in wanted]


def interface_pool(
    sriov: dict, pf: str | None = None, vfs: str | None = None, by: str = "name", unused: bool = False, nameless: str = "skip"
) -> list[str]:
    """The devices that a PF gives to a pool, in VF index order.

    ``sriov`` is the facts (then ``pf`` selects, unless there is only one PF) or one PF of them; ``by`` is ``name`` or ``pci_address``;
    ``unused`` leaves out each VF that something holds; ``nameless`` says what becomes of a VF without an interface.

    Raises SriovError when the PF or an index does not exist, when the facts do not know all of what is asked for, and when ``unused`` is asked
    where use is not known.
    """
    chosen = _choose(sriov, pf)
    members = pool_vfs(chosen, vfs)
    _refuse_partial(sriov.get("incomplete", []), chosen, {vf["index"] for vf in members}, vfs is None, by)
    if unused:
        members = _unused(members, chosen)
    without = [vf["index"] for vf in members if vf[by] is None]
    if without and nameless == "fail":
        raise SriovError(
            f"VF {format_ranges(without)} of {describe_pf(chosen)} has no {'interface' if by == 'name' else 'PCI address'}: "
            "bind a network driver to it, choose other VFs, or take by='pci_address'."
        )
    return [vf[by] for vf in members if vf[by] is not None]


def _choose(sriov: dict, pf: str | None) -> dict:
    if "pfs" not in sriov:
        return sriov if pf is None else select_pf(pf, [sriov])
    for entry in sriov["incomplete"]:
        if entry["part"] == "pfs":
            raise SriovError(f"The facts may lack PFs ({entry['reason']}): gather them again.")
    if pf is not None:
        return select_pf(pf, sriov["pfs"])
    if len(sriov["pfs"]) == 1:
        return sriov["pfs"][0]
    if not sriov["pfs"]:
        raise SriovError("The facts hold no PF: load the card's driver, and switch SR-IOV on in the firmware.")
    raise SriovError(f"The facts hold {len(sriov['pfs'])} PFs ({', '.join(map(describe_pf, sriov['pfs']))}): say which one with pf.")


def _refuse_partial(incomplete: list[dict], pf: dict, members: set[int], whole: bool, by: str) -> None:
    """Half the truth would make a pool of fewer VFs than there are, without a word."""
    for entry in incomplete:
        if entry["pf"] not in (pf["pci_address"], None):
            continue
        match = _OF_VFS.fullmatch(entry["part"])
        if match and match[2] in (None, by) and members.intersection(parse_ranges(match[1])):
            raise SriovError(f"Not known is {entry['part']} of {describe_pf(pf)} ({entry['reason']}): gather the facts again.")
        if (entry["part"] == "vfs" and whole) or (entry["part"] == by and entry["pf"] is None):
            raise SriovError(f"The facts may lack VFs of {describe_pf(pf)} ({entry['reason']}): gather them again.")


def _unused(members: list[dict], pf: dict) -> list[dict]:
    unknown = [vf["index"] for vf in members if vf["used_by"] is None]
    if unknown:
        raise SriovError(
            f"Whether VF {format_ranges(unknown)} of {describe_pf(pf)} is in use is not known, so it is no free VF: "
            "gather the facts with the subset usage, and see their incomplete list for what could not be read."
        )
    return [vf for vf in members if not vf["used_by"]]
