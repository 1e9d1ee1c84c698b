# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which processes have device files open, as /proc tells."""

from __future__ import annotations

import os

__all__ = ["HIDDEN", "command", "openers", "sees_all_processes"]

# Said where /proc does not even show pid 1, which every namespace of processes has.
HIDDEN = "the processes of other users are hidden (hidepid): become root"


def openers(paths: set[str], proc: str = "/proc") -> tuple[dict[str, list[str]], list[str]]:
    """Who has any of ``paths`` open, each as ``pid 4711 (dpdk-testpmd)``; and why some could not be seen.

    One pass over all processes, whatever the number of paths.
    """
    found: dict[str, list[str]] = {}
    hidden = 0
    reasons: list[str] = []
    pids = list(filter(str.isdigit, os.listdir(proc)))
    for pid in pids:
        folder = f"{proc}/{pid}/fd"
        try:
            targets = {_target(f"{folder}/{file}") for file in os.listdir(folder)}
        except PermissionError:  # of the folder, or of what is in it: the kernel asks for more there
            hidden += 1
            continue
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile, and let go
        for path in targets & paths:
            found.setdefault(path, []).append(f"pid {pid} ({command(pid, proc)})")
        # A process may close the file of the group, and keep the device.
        if "anon_inode:[vfio-device]" in targets and not any(target.startswith("/dev/vfio/") for target in targets - {"/dev/vfio/vfio"}):
            reasons.append(f"pid {pid} ({command(pid, proc)}) has a device open by VFIO, and does not tell which")
    if hidden:
        reasons.append(f"the open files of some processes ({hidden}) cannot be seen: become root, in a container with CAP_SYS_PTRACE")
    return found, reasons if "1" in pids else [*reasons, HIDDEN]


def _target(link: str) -> str:
    """The device file that a descriptor is open on, also where a process has it below a root of its own."""
    try:
        target = os.readlink(link)
    except PermissionError:
        raise
    except OSError:  # closed meanwhile
        return ""
    return target[max(target.rfind("/dev/"), 0) :].replace(" (deleted)", "")


def sees_all_processes(proc: str = "/proc") -> bool:
    """Whether this process is in the first namespace of processes, whose number never changes (PROC_PID_INIT_INO of include/linux/proc_ns.h)."""
    try:
        return os.readlink(f"{proc}/self/ns/pid") == "pid:[4026531836]"
    except OSError:
        return False


def command(pid: str, proc: str = "/proc") -> str:
    """The name of a process's program."""
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return "?"
