# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows shellcheck the script that brings a PF back after a reboot, with every part that it can have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import boot_files

PF = {"name": "enp1s0", "altnames": [], "pci_address": "0000:01:00.0", "permanent_mac": "52:54:00:00:00:01"}
VFS = {0: {"driver": "vfio-pci", "mac": "52:54:00:00:00:02", "max_tx_rate": 100}, 1: {"driver": "none", "msix_count": 4}, 2: {"driver": "default"}}
DECLARED = {"num_vfs": "max", "drivers_autoprobe": False, "eswitch_mode": "legacy", "mtu": 9000, "vfs": VFS}

for link in ("up", "down"):
    script = boot_files("enx525400000001", PF, "enp1s0", {**DECLARED, "link": link}, 120)["script"]
    subprocess.run(["shellcheck", "--shell=sh", "-"], input=script, text=True, check=True)
