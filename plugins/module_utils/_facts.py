# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the facts of a host, gathered from the rooms below."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._holders import add_holders
from ansible_collections.vfpool.sriov.plugins.module_utils._link import LinkUnreadable, Run, read_link, read_links, vf_configs
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import read_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import select_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["gather", "subsets"]

_ALL = frozenset(("min", "config", "usage"))


def subsets(asked: list[str]) -> frozenset[str]:
    """The subsets that ``gather_subset`` means: ``!x`` subtracts x, from everything when nothing else is asked for."""
    wanted = {name for name in asked if not name.startswith("!")}
    unwanted = {name[1:] for name in asked if name.startswith("!")}
    chosen = _ALL if "all" in wanted or not wanted else frozenset(wanted)
    chosen -= _ALL if "all" in unwanted else unwanted
    return chosen | {"min"}


def gather(selectors: list[str] | None, wanted: frozenset[str], run: Run, sysfs: Sysfs | None = None) -> dict[str, Any]:
    """``ansible_facts['sriov']``: the PFs that ``selectors`` mean (all when None), and what could not be read.

    Raises SriovError for a selector that fits no PF or two.
    """
    incomplete = Incomplete()
    sysfs = sysfs or Sysfs()
    pfs = read_pfs(sysfs, incomplete)
    for pf in pfs:
        _add_link(pf, "config" in wanted, run, incomplete)
    if selectors is not None:
        chosen = [select_pf(selector, pfs)["pci_address"] for selector in selectors]
        pfs = [pf for pf in pfs if pf["pci_address"] in chosen]
        incomplete.entries = [entry for entry in incomplete.entries if entry["pf"] is None or entry["pf"] in chosen]
    if "usage" in wanted:
        add_holders(pfs, _all_links(run), sysfs, incomplete)
    return {"pfs": pfs, "incomplete": incomplete.entries}


def _all_links(run: Run) -> list[dict[str, Any]] | None:
    try:
        return read_links(run)
    except LinkUnreadable:
        return None


def _add_link(pf: dict[str, Any], config: bool, run: Run, incomplete: Incomplete) -> None:
    if pf["name"] is None:
        if config and pf["vfs"]:
            incomplete.note("config", pf["pci_address"], "the PF has no network interface, and rtnetlink gives VF configuration through that alone")
        return
    try:
        link = read_link(pf["name"], run)
    except LinkUnreadable as error:
        for part in ("altnames", "permanent_mac") + (("config",) if config else ()):
            incomplete.note(part, pf["pci_address"], str(error))
        return
    pf["altnames"] = link.get("altnames", [])
    # The kernel's answer names the permanent address only where it differs from the present one.
    pf["permanent_mac"] = link.get("permaddr", link.get("address"))
    if config:
        configs = vf_configs(link)
        for vf in pf["vfs"]:
            vf["config"] = configs.get(vf["index"])
        if len(configs) < len(pf["vfs"]):
            reason = f"rtnetlink gave the configuration of {len(configs)} of {len(pf['vfs'])} VFs"
            incomplete.note("config", pf["pci_address"], reason)
