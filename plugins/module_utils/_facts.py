# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the facts of a host, gathered from the rooms below."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Run, Start, beside, in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._link import Links, ask_links, read_link, vf_configs
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs, read_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["gather", "subsets"]

_ALL = frozenset(("min", "config", "usage"))


def subsets(asked: list[str]) -> frozenset[str]:
    """The subsets that ``gather_subset`` means: ``!x`` subtracts x, from everything when nothing is asked for, and what is named wins."""
    named = frozenset(name for name in asked if name in _ALL)
    chosen = _ALL if "all" in asked or not named else named
    unwanted = _ALL if "!all" in asked else frozenset(name[1:] for name in asked if name.startswith("!"))
    return chosen - (unwanted - named) | {"min"}


def gather(selectors: list[str] | None, wanted: frozenset[str], run: Run | None = None, sysfs: Sysfs | None = None) -> dict:
    """``ansible_facts['sriov']``: the PFs that ``selectors`` mean (all when None), and what could not be read.

    The commands that are needed run beside all else, or one by one through ``run``. A host without PFs costs none.
    Raises SriovError for a selector that fits no PF or two.
    """
    incomplete = Incomplete()
    sysfs, start = sysfs or Sysfs(), in_turn(run) if run else beside
    pfs = find_pfs(sysfs, incomplete)
    asked = ask_links(start) if pfs else None
    # What a subset alone needs is compiled anew on every run: while ip is at work.
    if "config" in wanted:
        from ansible_collections.vfpool.sriov.plugins.module_utils._devlink import ask_eswitch_mode
    if "usage" in wanted:
        from ansible_collections.vfpool.sriov.plugins.module_utils._holders import add_holders
    links = _links(asked, pfs, incomplete)
    if selectors is not None:
        from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import select_pf

        addresses = [select_pf(selector, pfs, sysfs)["pci_address"] for selector in selectors]
        pfs = [pf for pf in pfs if pf["pci_address"] in addresses]
    modes = [ask_eswitch_mode(pf["pci_address"], start) for pf in pfs] if "config" in wanted else []
    for pf in pfs:
        read_vfs(pf, links.by_name if links else {}, sysfs, incomplete)
    if "config" in wanted:
        _add_config(pfs, links, start, sysfs, incomplete)
    if "usage" in wanted:
        add_holders(pfs, links, sysfs, incomplete)
    for pf, mode in zip(pfs, modes):
        with incomplete.noting(pf["pci_address"], "eswitch_mode"):
            pf["eswitch_mode"] = mode()
    chosen = {pf["pci_address"] for pf in pfs} | {None}
    return {"pfs": pfs, "incomplete": [entry for entry in incomplete.entries() if entry["pf"] in chosen]}


def _links(asked: Callable[[], Links] | None, pfs: list[dict], incomplete: Incomplete) -> Links | None:
    """The host's interfaces, if any PF is there to ask for; the PFs' `altnames` come from them."""
    links, reason = None, ""
    if asked:
        try:
            links = asked()
        except Unreadable as error:
            reason = str(error)
    for pf in pfs:
        if pf["name"] is None:
            continue
        if links and pf["name"] in links.by_name:
            pf["altnames"] = links.by_name[pf["name"]].get("altnames", [])
        else:
            incomplete.note("altnames", pf["pci_address"], reason or f"ip names no interface {pf['name']}")
    return links


def _add_config(pfs: list[dict], links: Links | None, start: Start, sysfs: Sysfs, incomplete: Incomplete) -> None:
    """What is configured rather than found: VF configuration and MSI-X vectors; and the words for vendor and model."""
    # What this subset alone needs, each compiled anew on every run.
    from ansible_collections.vfpool.sriov.plugins.module_utils._hardware_names import hardware_names
    from ansible_collections.vfpool.sriov.plugins.module_utils._msix import msix_count

    for pf in pfs:
        address = pf["pci_address"]
        _add_vf_configs(pf, links, start, incomplete)
        for vf in pf["vfs"]:
            if vf["pci_address"] is not None:
                try:
                    vf["msix_count"] = msix_count(f"{sysfs.root}/bus/pci/devices/{vf['pci_address']}/config")
                except OSError as error:
                    incomplete.note("msix_count", address, f"config cannot be read: {error.strerror}", vf["index"])
        with incomplete.noting(address, "vendor", "model"):
            pf["vendor"], pf["model"] = hardware_names(address, sysfs.udev)


def _add_vf_configs(pf: dict, links: Links | None, start: Start, incomplete: Incomplete) -> None:
    if not pf["vfs"]:
        return
    configs: dict[int, dict] = {}
    try:
        configs = vf_configs(_link_of(pf, links, start))
        reason = (
            f"rtnetlink's list has {len(configs)} of {len(pf['vfs'])} VFs: the kernel cuts it at 64 KiB, or VFs are just being made"
            if configs
            else f"the driver {pf['driver']} gives rtnetlink no VF configuration"
        )
    except Unreadable as error:
        reason = str(error)
    for vf in pf["vfs"]:
        vf["config"] = configs.get(vf["index"])
        if vf["config"] is None:
            incomplete.note("config", pf["pci_address"], reason, vf["index"])


def _link_of(pf: dict, links: Links | None, start: Start) -> dict:
    if pf["name"] is None:
        raise Unreadable("the PF has no network interface here whose name is known, and rtnetlink gives VF configuration through that alone")
    if links and links.with_vfs and pf["name"] in links.by_name:
        return links.by_name[pf["name"]]
    return read_link(pf["name"], start)
