# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter interface_pool; its documentation is in interface_pool.yml beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pool import pool_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import select_pf

_CHOICES = {"by": ("name", "pci_address"), "nameless": ("skip", "fail")}

_TEXT_OR_NULL = (str, type(None))
_LIST_OR_NULL = (list, type(None))
# What is looked at in the facts: a fact cache or a hand may have made something else of them.
_VF = {"index": int, "name": _TEXT_OR_NULL, "pci_address": _TEXT_OR_NULL, "used_by": _LIST_OR_NULL}
_PF = {"name": _TEXT_OR_NULL, "altnames": _LIST_OR_NULL, "pci_address": str, "permanent_mac": _TEXT_OR_NULL, "vfs": [_VF]}
_FACTS = {"pfs": [_PF], "incomplete": [{"part": str, "pf": _TEXT_OR_NULL, "reason": str}]}
# What facts by hand may leave out. Of a PF or VF it is not known then, as where it is null.
_MAY_LACK = dict.fromkeys(("used_by", "altnames", "permanent_mac"))
_OPTIONAL = (*_MAY_LACK, "incomplete")

# A part of `incomplete`: some VFs, and which of their keys is not known (all of them where none is named).
_OF_VFS = re.compile(r"vfs\[(.+)\](?:\.(.+))?")


def interface_pool(
    sriov: Any, pf: str | None = None, vfs: str | None = None, by: str = "name", unused: bool | str = False, nameless: str = "skip"
) -> list[str]:
    for option, value in (("by", by), ("nameless", nameless)):
        if value not in _CHOICES[option]:
            raise AnsibleFilterError(f"interface_pool: {option} is {value!r}, but must be one of {', '.join(_CHOICES[option])}.")
    if pf is not None and not isinstance(pf, str):
        raise AnsibleFilterError(f"interface_pool: pf is {pf!r}, but must be a name, a PCI address or a MAC address, in quotes.")
    try:
        only_unused = boolean(unused)
    except TypeError:
        raise AnsibleFilterError(f"interface_pool: unused is {unused!r}, but must be true or false.") from None
    for fault in _faults(sriov, _FACTS if isinstance(sriov, dict) and "pfs" in sriov else _PF):
        raise AnsibleFilterError(
            f"interface_pool: the input is neither ansible_facts['sriov'] nor one PF of it, for {fault}: run vfpool.sriov.sriov_vf_facts first."
        )
    try:
        return _pool_of(sriov, pf, vfs, by, only_unused, nameless)
    except SriovError as error:
        raise AnsibleFilterError(f"interface_pool: {error}") from None  # Ansible would print each cause as well


def _faults(found: Any, form: Any, where: str = "") -> Iterator[str]:
    """In words, where ``found`` is not of a form: a type, a list of one form, or the forms of a dictionary's keys."""
    if not isinstance(found, type(form) if isinstance(form, (list, dict)) else form):
        yield f"{where or 'it'} is {'null' if found is None else f'{found!r:.40}'}"
    elif isinstance(form, list):
        for number, entry in enumerate(found):
            yield from _faults(entry, form[0], f"{where}[{number}]")
    elif isinstance(form, dict):
        for key, inner in form.items():
            if key in found:
                yield from _faults(found[key], inner, f"{where}.{key}".lstrip("."))
            elif key not in _OPTIONAL:
                yield f"{where or 'it'} has no {key}"


def _pool_of(sriov: dict, pf: str | None, vfs: str | None, by: str, unused: bool, nameless: str) -> list[str]:
    """The devices that a PF gives to a pool, in VF index order.

    ``sriov`` is the facts (then ``pf`` selects, unless there is only one PF) or one PF of them; ``by`` is ``name`` or ``pci_address``;
    ``unused`` leaves out each VF that something holds; ``nameless`` says what becomes of a VF without an interface.

    Raises SriovError when the PF or an index does not exist, when the facts do not know all of what is asked for, and when ``unused`` is asked
    where use is not known.
    """
    chosen = _choose({**sriov, "pfs": list(map(_whole, sriov["pfs"]))} if "pfs" in sriov else _whole(sriov), pf)
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


def _whole(pf: dict) -> dict:
    return {**_MAY_LACK, **pf, "vfs": [{**_MAY_LACK, **vf} for vf in pf["vfs"]]}


def _choose(sriov: dict, pf: str | None) -> dict:
    if "pfs" not in sriov:
        return sriov if pf is None else select_pf(pf, [sriov])
    for entry in sriov.get("incomplete", ()):
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


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"interface_pool": interface_pool}
