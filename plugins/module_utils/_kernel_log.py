# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what the kernel logs while a step runs, because a driver gives its reason nowhere else."""

from __future__ import annotations

import os

__all__ = ["KernelLog"]

_RECORD = 8192  # bytes: the kernel hands out one whole record for each read and none is longer


class KernelLog:
    """The kernel's log from now on. Where it cannot be read (no /dev/kmsg, no permission) it holds nothing.

    Source of the format: Documentation/ABI/testing/dev-kmsg of the Linux kernel.
    """

    def __init__(self, path: str = "/dev/kmsg") -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self._fd = -1

    def about(self, *subjects: str) -> list[str]:
        """The lines since the last call that contain one of ``subjects``, such as a PCI address."""
        return [line for line in self._lines() if any(subject in line for subject in subjects)]

    def _lines(self) -> list[str]:
        lines: list[str] = []
        while self._fd >= 0:
            try:
                record = os.read(self._fd, _RECORD).decode("utf-8", "replace")
            except BrokenPipeError:  # older records were overwritten before they could be read
                continue
            except OSError:
                break
            if not record:
                break
            lines.append(record.partition(";")[2].partition("\n")[0])
        return lines

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
