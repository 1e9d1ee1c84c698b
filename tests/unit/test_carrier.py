# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import select
import socket
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._carrier import wait_for_carrier


def test_too_many_changes_to_tell_are_a_reason_to_look_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is held up misses some, which the kernel tells by an error of the socket (netlink(7))."""
    carrier = tmp_path / "carrier"
    carrier.write_text("0\n", encoding="ascii")

    class Overflowed(socket.socket):
        def recv(self, *_size: int) -> bytes:
            carrier.write_text("1\n", encoding="ascii")
            raise OSError(errno.ENOBUFS, "No buffer space available")

    monkeypatch.setattr(socket, "socket", Overflowed)
    monkeypatch.setattr(select, "select", lambda read, *_others: (read, [], []))
    assert wait_for_carrier(str(tmp_path), 5)
