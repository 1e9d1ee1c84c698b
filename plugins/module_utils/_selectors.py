# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which PF a selector means (pure)."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf, is_pci_address, normal_pci_address
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["is_interface_name", "select_pf"]

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5,19}", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[/:\s]")
_LONGEST_NAME, _LONGEST_ALTNAME = 15, 127  # bytes: IFNAMSIZ and ALTIFNAMSIZ of linux/if.h, less the byte that ends them


def select_pf(selector: str, pfs: list[dict], sysfs: Sysfs | None = None) -> dict:
    """The one PF of ``pfs`` that ``selector`` means: an interface name, altname, PCI address or permanent MAC address.

    Raises SriovError, with the PFs that there are, when none or more than one fits. On the host itself, ``sysfs`` tells what it is instead.
    """
    found = [pf for pf in pfs if _fits(selector, pf)]
    if len(found) == 1:
        return found[0]
    if found:
        fits = ", ".join(map(describe_pf, found))
        raise SriovError(f"{selector!r} fits more than one PF ({fits}): name one of them by its PCI address.")
    vf_of = _owner_of_vf(selector, pfs)
    if vf_of is not None:
        raise SriovError(f"{selector!r} is a VF of {describe_pf(vf_of)}, not a PF: {_there(pfs)}.")
    if not (is_pci_address(selector) or _MAC.fullmatch(selector) or is_interface_name(selector, _LONGEST_ALTNAME)):
        raise SriovError(f"{selector!r} is neither an interface name nor a PCI address nor a MAC address: {_there(pfs)}.")
    raise SriovError(f"No PF of this host is {selector!r}{_instead(selector, pfs, sysfs)}: {_there(pfs)}.")


def is_interface_name(text: str, longest: int = _LONGEST_NAME) -> bool:
    """Whether the kernel could give an interface that name (dev_valid_name), of at most ``longest`` bytes."""
    return 0 < len(text.encode()) <= longest and text not in (".", "..") and not _NOT_IN_NAMES.search(text)


def _there(pfs: list[dict]) -> str:
    if not pfs:
        return "the host has none, so load the card's driver, and switch SR-IOV on in the firmware"
    return f"the PFs are {', '.join(map(describe_pf, pfs))}"


def _fits(selector: str, pf: dict) -> bool:
    if is_pci_address(selector):
        return bool(normal_pci_address(selector) == pf["pci_address"])
    if _MAC.fullmatch(selector):
        return bool(selector.lower() == pf["permanent_mac"])
    return selector == pf["name"] or selector in (pf["altnames"] or [])


def _instead(selector: str, pfs: list[dict], sysfs: Sysfs | None) -> str:
    if sysfs is None:
        known = ":" in selector or all(pf["altnames"] is not None for pf in pfs)
        return "" if known else " (which altnames the PFs have is not known: see the facts' incomplete)"
    from ansible_collections.vfpool.sriov.plugins.module_utils._not_a_pf import what_it_is  # filters have no host to look at

    words = what_it_is(selector, pfs, sysfs)
    return f" ({words})" if words else ""


def _owner_of_vf(selector: str, pfs: list[dict]) -> Any:
    address = normal_pci_address(selector) if is_pci_address(selector) else None
    for pf in pfs:
        for vf in pf["vfs"]:
            if vf["name"] == selector or (address and vf["pci_address"] == address):
                return pf
    return None
