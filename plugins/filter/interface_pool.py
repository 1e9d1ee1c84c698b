# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter interface_pool; its documentation is in interface_pool.yml beside it."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pool import interface_pool as pool_of

_CHOICES = {"by": ("name", "pci_address"), "nameless": ("skip", "fail")}


def interface_pool(
    sriov: Any, pf: str | None = None, vfs: str | None = None, by: str = "name", unused: bool = False, nameless: str = "skip"
) -> list[str]:
    for option, value in (("by", by), ("nameless", nameless)):
        if value not in _CHOICES[option]:
            raise AnsibleFilterError(f"interface_pool: {option} is {value!r}, but must be one of {', '.join(_CHOICES[option])}.")
    if pf is not None and not isinstance(pf, str):
        raise AnsibleFilterError(f"interface_pool: pf is {pf!r}, but must be a name, a PCI address or a MAC address, in quotes.")
    if not isinstance(sriov, dict) or not ("pfs" in sriov or sriov.keys() >= {"name", "altnames", "pci_address", "vfs"}):
        raise AnsibleFilterError("interface_pool: the input is neither ansible_facts['sriov'] nor one PF of it: run vfpool.sriov.sriov_vf_facts first.")
    try:
        return pool_of(sriov, pf=pf, vfs=vfs, by=by, unused=unused, nameless=nameless)
    except SriovError as error:
        raise AnsibleFilterError(f"interface_pool: {error}") from error


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"interface_pool": interface_pool}
