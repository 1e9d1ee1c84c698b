# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter interface_pool; its documentation is in interface_pool.yml beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pool import interface_pool as pool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHOICES = {"by": ("name", "pci_address"), "nameless": ("skip", "fail")}

_TEXT_OR_NULL, _LIST_OR_NULL = (str, type(None)), (list, type(None))
# What is looked at in the facts: a fact cache or a hand may have made something else of them.
_VF = {"index": int, "name": _TEXT_OR_NULL, "pci_address": _TEXT_OR_NULL, "used_by": _LIST_OR_NULL}
_PF = {"name": _TEXT_OR_NULL, "altnames": _LIST_OR_NULL, "pci_address": str, "permanent_mac": _TEXT_OR_NULL, "vfs": [_VF]}
_FACTS = {"pfs": [_PF], "incomplete": [{"part": str, "pf": _TEXT_OR_NULL, "reason": str}]}


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
        return pool_of(sriov, pf=pf, vfs=vfs, by=by, unused=only_unused, nameless=nameless)
    except SriovError as error:
        raise AnsibleFilterError(f"interface_pool: {error}") from error


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
            else:
                yield f"{where or 'it'} has no {key}"


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"interface_pool": interface_pool}
