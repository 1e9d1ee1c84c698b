# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: files for the next boot whose card was taken out of the host."""

from __future__ import annotations

import glob
import os

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import paths
from ansible_collections.vfpool.sriov.plugins.module_utils._persistence import identities
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["gone_cards"]


def gone_cards(pf: dict, sysfs: Sysfs, root: str = "/") -> list[str]:
    """A warning for each PF that was declared for the next boot and is not on this host, for which systemd waits at each boot.

    Its files are not removed: the card may come back. ``pf`` is one that is here.
    """
    before, after = paths("*", root)["unit"].split("*")
    declared = {path[len(before) : -len(after)] for path in glob.glob(f"{before}*{after}")}
    if declared.issubset(identities(pf)):
        return []
    pfs = find_pfs(sysfs, Incomplete())
    gone = declared.difference(*map(identities, pfs))
    if any(pf["permanent_mac"] is None for pf in pfs):  # which may be the declared one
        gone = {key for key in gone if key.startswith("pci")}
    return [
        f"The PF {key} was declared for the next boot and is not on this host, so each boot waits for it as long as for any device that does not "
        f"come (a minute and a half): if its card is gone for good, remove {', '.join(filter(os.path.lexists, paths(key, root).values()))}."
        for key in sorted(gone)
    ]
