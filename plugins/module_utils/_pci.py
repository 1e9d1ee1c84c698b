# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: PCI addresses as the kernel writes them, ``domain:bus:slot.function``, and what a PF is called in messages."""

from __future__ import annotations

import re

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["describe_pf", "function_below", "function_in", "is_pci_address", "normal_pci_address", "pci_sort_key"]

# The domain has four digits or more: Intel VMD makes domains from 0x10000 on.
_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])", re.IGNORECASE)

# Virtio keeps its own device between the function and what stands on it.
_ON_A_FUNCTION = re.compile(r"/([0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])(?:/virtio[0-9]+)?/[^/]+/[^/]+$")


def is_pci_address(text: str) -> bool:
    """Whether ``text`` is a PCI address, with or without its domain (``01:00.0`` is in domain 0000)."""
    return _ADDRESS.fullmatch(text) is not None


def function_in(path: str) -> str | None:
    """The innermost PCI function of a path in sysfs, such as a link's target; None where it leads through none."""
    return next(filter(is_pci_address, reversed(path.split("/"))), None)


def function_below(link: str) -> str | None:
    """The PCI function that an interface, or a device of another class, stands on directly, by where its link in /sys/class leads."""
    match = _ON_A_FUNCTION.search(link)
    return match and match[1]


def normal_pci_address(text: str) -> str:
    """The one spelling of an address that sysfs uses: lower case, with its domain.

    Raises SriovError when ``text`` is no PCI address.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise SriovError(f"{text!r} is no PCI address: write domain:bus:slot.function in hexadecimal, such as 0000:01:00.0.")
    domain, bus, slot, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{slot}.{function}".lower()


def describe_pf(pf: dict) -> str:
    """``enp1s0 (0000:01:00.0)``, or the address alone where the PF has no interface."""
    return f"{pf['name']} ({pf['pci_address']})" if pf["name"] else pf["pci_address"]


def pci_sort_key(address: str) -> tuple[int, str]:
    """Orders normal addresses by domain, bus, slot, function: as text, once the longer domains are behind the others."""
    return len(address), address
