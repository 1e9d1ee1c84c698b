# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what is configured of PFs and VFs rather than found: VF configuration, MSI-X vectors, the mode of a PF's switch.

And the words for vendor and model, which nothing but people needs either.
"""

from __future__ import annotations

from contextlib import suppress

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Start
from ansible_collections.vfpool.sriov.plugins.module_utils._devlink import ask_eswitch_mode
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._hardware_names import hardware_names
from ansible_collections.vfpool.sriov.plugins.module_utils._link import Links, is_cut, read_link, vf_configs
from ansible_collections.vfpool.sriov.plugins.module_utils._msix import msix_count
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["NO_CONFIGURATION", "add_configuration"]

# With this reason nothing is missing: there is none.
NO_CONFIGURATION = "the driver {} gives rtnetlink no VF configuration"


def add_configuration(pfs: list[dict], links: Links, start: Start, sysfs: Sysfs, incomplete: Incomplete) -> None:
    """Set what subset `config` has of PFs and their VFs. A process for each PF runs while the rest is read."""
    modes = [ask_eswitch_mode(pf["pci_address"], start) for pf in pfs]
    for pf, mode in zip(pfs, modes):
        address = pf["pci_address"]
        if pf["vfs"] and _may_have_configs(pf, sysfs):
            _add_vf_configs(pf, links, start, incomplete)
        for vf in pf["vfs"]:
            if vf["pci_address"] is not None:
                try:
                    vf["msix_count"] = msix_count(f"{sysfs.root}/bus/pci/devices/{vf['pci_address']}/config")
                except OSError as error:
                    incomplete.note("msix_count", address, f"config cannot be read: {error.strerror}", vf["index"])
        with incomplete.noting(address, "vendor", "model"):
            pf["vendor"], pf["model"] = hardware_names(address, sysfs.udev)
        with incomplete.noting(address, "eswitch_mode"):
            pf["eswitch_mode"] = mode()


def _may_have_configs(pf: dict, sysfs: Sysfs) -> bool:
    """Whether there is something to miss where no VF configuration is told: the VFs of a disk or an accelerator have none."""
    if pf["name"] is None:
        from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import is_network_card  # most PFs have a name

        with suppress(OSError):
            return is_network_card(pf["pci_address"], sysfs)
    return True


def _add_vf_configs(pf: dict, links: Links, start: Start, incomplete: Incomplete) -> None:
    configs: dict[int, dict] = {}
    try:
        link = _link_of(pf, links, start)
        configs = vf_configs(link)
        told = sum(vf["index"] in configs for vf in pf["vfs"])
        reason = (
            f"rtnetlink's list has {told} of {len(pf['vfs'])} VFs: the kernel cuts it at 64 KiB, VFs are just being made, or the driver tells no more"
            if configs or is_cut(link, len(pf["vfs"]))
            else NO_CONFIGURATION.format(pf["driver"])
        )
    except Unreadable as error:
        reason = str(error)
    for vf in pf["vfs"]:
        vf["config"] = configs.get(vf["index"])
        if vf["config"] is None:
            incomplete.note("config", pf["pci_address"], reason, vf["index"])


def _link_of(pf: dict, links: Links, start: Start) -> dict:
    if pf["name"] is None:
        raise Unreadable("the PF has no network interface here whose name is known, and rtnetlink gives VF configuration through that alone")
    if links.with_vfs and pf["name"] in links.by_name:
        return links.by_name[pf["name"]]
    return read_link(pf["name"], start)
