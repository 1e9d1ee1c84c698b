# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: reading sysfs, and a list of what could not be read."""

from __future__ import annotations

import errno
import os

__all__ = ["Incomplete", "Sysfs"]


class Incomplete:
    """What an answer lacks: entries of ``part`` (a key of the answer), ``pf`` (its PCI address, or null) and ``reason``."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str | None]] = []

    def note(self, part: str, pf: str | None, reason: str) -> None:
        entry = {"part": part, "pf": pf, "reason": reason}
        if entry not in self.entries:
            self.entries.append(entry)


class Sysfs:
    """The tree below ``root``, read with as few system calls as each kind of entry allows.

    An entry that does not exist is None: the device has no such property.
    Any other failure is an OSError, for the caller to report.
    """

    def __init__(self, root: str = "/sys") -> None:
        self.root = root

    def exists(self, path: str) -> bool:
        return os.path.exists(f"{self.root}/{path}")

    def text(self, path: str) -> str | None:
        """The content of a file, without surrounding white space."""
        try:
            fd = os.open(f"{self.root}/{path}", os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return os.read(fd, 4096).decode("utf-8", "replace").strip()
        finally:
            os.close(fd)

    def link_name(self, path: str) -> str | None:
        """The last part of a symbolic link's target: sysfs names drivers, groups and devices this way."""
        try:
            return os.path.basename(os.readlink(f"{self.root}/{path}"))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def names(self, path: str) -> list[str] | None:
        """The entries of a folder, in no order."""
        try:
            return os.listdir(f"{self.root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
