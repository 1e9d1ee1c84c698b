# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the facts of a host, gathered from the rooms below."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Run, beside, in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._link import UNNAMED, Links, add_altnames, ask_links
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
    if not pfs:
        return {"pfs": _selected(selectors, pfs, sysfs), "incomplete": incomplete.entries()}
    asked = ask_links(pfs, start)
    # What a subset alone needs is compiled anew on every run: while ip is at work.
    if "config" in wanted:
        from ansible_collections.vfpool.sriov.plugins.module_utils._configuration import add_configuration
    if "usage" in wanted:
        from ansible_collections.vfpool.sriov.plugins.module_utils._holders import add_holders
    links, why_none = Links({}, with_vfs=False), ""
    try:
        links = asked()
    except Unreadable as error:
        why_none = str(error)
    add_altnames(pfs, links.by_name)
    _note_altnames(pfs, links.by_name, why_none, incomplete)
    pfs = _selected(selectors, pfs, sysfs)
    for pf in pfs:
        read_vfs(pf, links.by_name, sysfs, incomplete)
    if "config" in wanted:
        add_configuration(pfs, links, start, sysfs, incomplete)
    if "usage" in wanted:
        add_holders(pfs, links.by_name, sysfs, incomplete)
    chosen = {pf["pci_address"] for pf in pfs} | {None}
    return {"pfs": pfs, "incomplete": [entry for entry in incomplete.entries() if entry["pf"] in chosen]}


def _selected(selectors: list[str] | None, pfs: list[dict], sysfs: Sysfs) -> list[dict]:
    if selectors is None:
        return pfs
    from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import select_pf  # most runs ask for all

    addresses = [select_pf(selector, pfs, sysfs)["pci_address"] for selector in selectors]
    return [pf for pf in pfs if pf["pci_address"] in addresses]


def _note_altnames(pfs: list[dict], links: dict[str, dict], why_none: str, incomplete: Incomplete) -> None:
    for pf in pfs:
        if pf["altnames"] is None and pf["name"] is not None:
            why = f"ip cannot tell whether it has any beside {len(pf['vfs'])} VFs" if pf["name"] in links else f"{UNNAMED} {pf['name']}"
            incomplete.note("altnames", pf["pci_address"], why_none or why)
