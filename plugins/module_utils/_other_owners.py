# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what else on a host makes VFs at boot, because two owners of one PF undo each other."""

from __future__ import annotations

import glob
import re
from pathlib import Path

__all__ = ["other_owners"]

# Whose file it is, where it lies, and what in it makes VFs or sets them up. NetworkManager makes as many VFs as it is told as soon as it is
# told anything of them, if only by an empty section; systemd counts the sections where no number stands beside them.
_OWNERS = (
    ("NetworkManager", "*/NetworkManager/system-connections/*", r"^\s*\[sriov\]"),
    ("NetworkManager", "etc/sysconfig/network-scripts/ifcfg-*", r"^\s*SRIOV_"),
    ("systemd.link", "*/systemd/network/*.link", r"^\s*(SR-IOVVirtualFunctions\s*=|\[SR-IOV\])"),
    ("systemd.link", "*/systemd/network/*.link.d/*.conf", r"^\s*(SR-IOVVirtualFunctions\s*=|\[SR-IOV\])"),
    ("systemd-networkd", "*/systemd/network/*.network", r"^\s*\[SR-IOV\]"),
    ("netplan", "*/netplan/*.yaml", r"^\s*virtual-function-count\s*:"),
    ("udev", "*/udev/rules.d/*.rules", r"sriov_numvfs"),
    ("sysfsutils", "etc/sysfs.conf", r"sriov_numvfs"),
    ("sysfsutils", "etc/sysfs.d/*.conf", r"sriov_numvfs"),
    ("ifupdown", "etc/network/interfaces", r"sriov_numvfs"),
    ("ifupdown", "etc/network/interfaces.d/*", r"sriov_numvfs"),
    ("a systemd unit", "etc/systemd/system/*.service", r"sriov_numvfs"),
)
_FOLDERS = ("etc", "run", "usr/lib")


def other_owners(pf: dict, root: str = "/") -> list[str]:
    """``/etc/systemd/network/10-pf.link (systemd.link)`` and the like: each file that names this PF and is about VFs."""
    address = pf["pci_address"]
    names = [name for name in (pf["name"], *(pf["altnames"] or []), address, f"pci-{address}", pf["permanent_mac"], pf["mac"]) if name]
    this_pf = re.compile("|".join(rf"(?<![\w:.-]){re.escape(name)}(?![\w-]|:\w)" for name in names), re.IGNORECASE)
    found = []
    for owner, pattern, makes_vfs in _OWNERS:
        for folder in _FOLDERS if pattern.startswith("*/") else ("",):
            for path in sorted(glob.glob(f"{root}{folder}{pattern.lstrip('*') if folder else pattern}")):
                text = _without_comments(path)
                if re.search(makes_vfs, text, re.MULTILINE) and this_pf.search(text):
                    found.append(f"{path} ({owner})")
    return found


def _without_comments(path: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.lstrip().startswith(("#", ";")))
