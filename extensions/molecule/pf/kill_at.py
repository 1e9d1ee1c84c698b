# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a signal to the run that holds the first card's lock, at the first kernel event of a kind about one of its VFs: ``kill_at.py remove KILL``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pyudev

PF = "0000:01:00.0"
monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
monitor.filter_by("pci")
monitor.start()
deadline = time.monotonic() + 100
event = None
# poll gives None for a message of no concern, too.
while event is None or event.action != sys.argv[1] or not event.sys_name.startswith("0000:01:1"):
    if time.monotonic() > deadline:
        sys.exit("no such event came")
    event = monitor.poll(1)
os.kill(int(Path(f"/run/vfpool.sriov/pf-{PF}.lock").read_text(encoding="ascii")), signal.Signals[f"SIG{sys.argv[2]}"])
