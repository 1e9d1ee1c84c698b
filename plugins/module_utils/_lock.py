# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run at a time on one PF, or on the networks of one libvirt daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._record import FOLDER

__all__ = ["locked", "runtime_folder"]

_PAUSE = 0.1  # seconds between two attempts: flock has no deadline of its own


def runtime_folder(daemon: str = "system") -> str:
    """Where locks and records lie, gone after a reboot.

    What is the host's lies where all of its users look, so only root changes it. A ``daemon`` (as of ``daemon_key``) that is
    one user's own, or elsewhere, has them in that user's folder.
    """
    if daemon.partition(" ")[0] == "system" or os.geteuid() == 0:
        return FOLDER
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}", "vfpool.sriov")


@contextlib.contextmanager
def locked(kind: str, name: str, timeout: float = 120, *, check: bool = False, folder: str | None = None) -> Iterator[None]:
    """Hold the lock of one thing, such as ``("PF", "0000:01:00.0")`` or ``("libvirt", "system")``, while the body runs.

    The kernel lets go of it when the process ends, however it ends. The file stays, because a lock whose file may be
    removed can be held by two; its content is the process that holds it or held it last.

    In check mode nothing is locked, for a lock is a file, and check mode writes none.

    Raises SriovError when another run still holds it after ``timeout`` seconds, and when the lock cannot be made.
    """
    if check:
        yield
        return
    path = os.path.join(folder or runtime_folder(), f"{kind.lower()}-{name.replace('/', '%2F')}.lock")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        remedy = "run as root, with become" if isinstance(error, PermissionError) else "put that right, and run this again"
        raise SriovError(f"The lock {path} for {kind} {name} cannot be made ({error.strerror}): {remedy}.") from error
    try:
        _wait_for(fd, kind, name, timeout)
        with contextlib.suppress(OSError):  # on a full disk the lock is held as well, only by nobody knows whom
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _wait_for(fd: int, kind: str, name: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(fd, 32, 0).decode().strip() or "unknown"
                raise SriovError(
                    f"Another run (process {holder}) has been at work on {kind} {name} for more than {timeout:g} s: wait for it to end, or end it."
                ) from None
            time.sleep(_PAUSE)
