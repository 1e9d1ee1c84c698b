# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what an interface or a PCI function that is no PF is instead, in words.

Source: Documentation/ABI/testing/sysfs-bus-pci of the Linux kernel (sriov_totalvfs, physfn).
"""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import interfaces_of
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf, function_in, is_pci_address, normal_pci_address
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["what_it_is"]

_DEVICES = "bus/pci/devices"


def what_it_is(selector: str, pfs: list[dict], sysfs: Sysfs) -> str:
    """What there is by the valid name ``selector``, which fits none of the host's ``pfs``; empty where nothing is to be added."""
    if is_pci_address(selector):
        address = normal_pci_address(selector)
        return _of_function(address, pfs, sysfs) if sysfs.exists(f"{_DEVICES}/{address}") else "no PCI device has that address"
    if selector.replace(".", "").isdigit() and not sysfs.exists(f"class/net/{selector}"):
        return "YAML makes numbers of some MAC and PCI addresses, which therefore need quotation marks"
    if ":" in selector:  # a MAC address
        moved = [describe_pf(pf) for pf in pfs if pf["name"] is None and interfaces_of(pf["pci_address"], sysfs) == []]
        if moved:
            return f"that of {', '.join(moved)} is not known, as the interface was moved to another network namespace"
        unread = [describe_pf(pf) for pf in pfs if pf["name"] and pf["permanent_mac"] is None]
        return f"the permanent one of {', '.join(unread)} cannot be read" if unread else ""
    if not sysfs.exists(f"class/net/{selector}"):
        known = all(pf["altnames"] is not None for pf in pfs)
        return f"no interface has that name, and {'no PF has that altname' if known else 'which altnames the PFs have is not known'}"
    # Not only what stands on it directly: a subfunction keeps a device of its own between.
    function = function_in(sysfs.place(f"class/net/{selector}") or "")
    return "an interface that stands on no PCI device" if function is None else _of_function(function, pfs, sysfs)


def _of_function(address: str, pfs: list[dict], sysfs: Sysfs) -> str:
    for pf in pfs:
        if pf["pci_address"] == address:
            return f"one more interface on the PF {describe_pf(pf)}"
    pf_of_vf = sysfs.link_name(f"{_DEVICES}/{address}/physfn")
    if pf_of_vf is not None:
        return f"a VF of {pf_of_vf}"
    driver = sysfs.link_name(f"{_DEVICES}/{address}/driver") or "none"
    return f"a card, {address} with driver {driver}, that has no SR-IOV or whose firmware has it switched off"
