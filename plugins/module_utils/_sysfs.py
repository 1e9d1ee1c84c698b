# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: reading sysfs, and a list of what could not be read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError, Unreadable

__all__ = ["Incomplete", "Sysfs"]

_Answer = TypeVar("_Answer")
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class SysfsError(OSError, SriovError):
    """An entry that is there and cannot be read: who lists what an answer lacks takes it for an OSError, a user reads its sentence."""

    def __init__(self, code: int | None, reason: str | None, path: str) -> None:
        OSError.__init__(self, code, reason, path)
        self.result = {}

    def __str__(self) -> str:
        return f"{self.filename} cannot be read ({self.strerror}): run this again, as root, and see journalctl -k if it stays so."


class Incomplete:
    """What an answer lacks."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str | None, str, str, bool], list[int]] = {}

    def note(self, part: str, pf: str | None, reason: str, vf: int | None = None) -> None:
        """The key ``part`` of a PF (named by its PCI address; None for the whole host), or of its VF with index ``vf``, is not known."""
        indices = self._notes.setdefault((pf, part, reason, vf is not None), [])
        if vf is not None and vf not in indices[-1:]:
            indices.append(vf)

    @contextmanager
    def noting(self, pf: str, *parts: str) -> Iterator[None]:
        """What Unreadable keeps the block from finding out is noted."""
        try:
            yield
        except Unreadable as error:
            for part in parts:
                self.note(part, pf, str(error))

    def entries(self) -> list[dict]:
        """`incomplete` of the facts; VFs that lack the same for the same reason share an entry, whose part is such as ``vfs[0-6].mac``."""
        if not self._notes:
            return []
        from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges

        return [
            {"part": f"vfs[{format_ranges(set(indices))}].{part}".rstrip(".") if indices else part, "pf": pf, "reason": reason}
            for (pf, part, reason, _of_vfs), indices in self._notes.items()
        ]


class Sysfs:
    """The tree below ``root``, read with as few system calls as each kind of entry allows.

    An entry that does not exist is None: the device has no such property.
    Any other failure is a SysfsError, for the caller to report.
    ``udev`` is where udev keeps what it knows of devices; only the real /sys has one.
    """

    def __init__(self, root: str = "/sys", udev: str | None = None) -> None:
        self.root = root
        self.udev = "/run/udev" if udev is None and root == "/sys" else udev

    def is_the_kernels(self) -> bool:
        """Whether the kernel itself tells of interfaces here, rather than a tree that was laid over its own."""
        try:
            device = os.stat(f"{self.root}/class/net").st_dev
            with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
                return any(f" {os.major(device)}:{os.minor(device)} " in mount and " - sysfs " in mount for mount in mounts)
        except OSError:
            return False

    def exists(self, path: str) -> bool:
        return os.path.exists(f"{self.root}/{path}")

    def text(self, path: str) -> str | None:
        """The content of a file, without surrounding white space."""
        return self._ask(_content, path)

    def link(self, path: str) -> str | None:
        """Where a symbolic link leads."""
        return self._ask(os.readlink, path)

    def link_name(self, path: str) -> str | None:
        """The last part of a symbolic link's target: sysfs names drivers, groups and devices this way."""
        link = self._ask(os.readlink, path)
        return link and link.rpartition("/")[2]

    def place(self, entry: str) -> str | None:
        """Where an entry of a class leads: as a link by itself, as a folder by its device. None for a file of the class, such as bonding_masters."""
        try:
            return self.link(entry)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            device = self.link(f"{entry}/device")
            return device and f"{device}/{entry[len('class/') :]}"

    def names(self, path: str) -> list[str] | None:
        """The entries of a folder, in no order."""
        return self._ask(os.listdir, path)

    def _ask(self, question: Callable[[str], _Answer], path: str) -> _Answer | None:
        try:
            return question(f"{self.root}/{path}")
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise SysfsError(error.errno, error.strerror, f"{self.root}/{path}") from None

    def write(self, path: str, value: str) -> None:
        """Write by one system call without a newline or a buffer, so that the driver's own errno comes back as the OSError."""
        fd = os.open(f"{self.root}/{path}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)


def _content(path: str) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)
