# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket in front of libvirtd's, at which a client dies between any two of its calls.

What goes over the socket is libvirt's RPC protocol: packets of a length, a program, a version, a procedure, a type
(0 for a call, 1 for its reply), a serial number and a status, each 32 bits, and then the payload (src/rpc/virnetprotocol.x).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.vfpool.sriov.tests.integration.host import Host

URI = "qemu+unix:///system?socket=/run/libvirt/cut-sock"
_REMOTE_PROGRAM = 0x20008086
_CALL = 0


class Cut:
    """Passes on every call of one client, and counts them; at call number `at` it makes `fall` happen.

    With `answered`, the daemon has done the call and the client has not heard of it; without, the daemon never sees the call,
    unless the client `goes_on` after what happened.
    """

    def __init__(self, host: Host, at: int | None = None, answered: bool = False, fall: Callable[[int], object] | None = None, goes_on: bool = False) -> None:
        self.calls = 0
        self.fallen = False
        self._at, self._answered, self._fall, self._goes_on = at, answered, fall or _kill, goes_on
        self._daemon = str(host.root / "run/libvirt/libvirt-sock")
        self._path = host.root / "run/libvirt/cut-sock"

    def __enter__(self) -> Cut:
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake up the thread that accepts
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        with client, socket.socket(socket.AF_UNIX) as daemon, contextlib.suppress(OSError):
            daemon.connect(self._daemon)
            # A rebuild has one call under way at a time: its reply is the next packet that comes back.
            for packet, number in self._packets(client):
                reached = number is not None and number == self._at
                if reached and not self._answered:
                    self._cut(pid)
                    if not self._goes_on:
                        return
                daemon.sendall(packet)
                reply = _packet(daemon)
                if reached and self._answered:
                    self._cut(pid)
                    if not self._goes_on:
                        return
                client.sendall(reply)

    def _packets(self, client: socket.socket) -> Iterator[tuple[bytes, int | None]]:
        """Each packet of the client, with its number if it is a call."""
        while True:
            packet = _packet(client)
            program, _version, _procedure, kind = struct.unpack("!4I", packet[4:20])
            number = None
            if program == _REMOTE_PROGRAM and kind == _CALL:
                number = self.calls
                self.calls += 1
            yield packet, number

    def _cut(self, pid: int) -> None:
        self.fallen = True
        self._fall(pid)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _packet(connection: socket.socket) -> bytes:
    head = _exactly(connection, 4)
    return head + _exactly(connection, struct.unpack("!I", head)[0] - 4)


def _exactly(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part: Any = connection.recv(size - len(read))
        if not part:
            raise OSError("the other side has gone")
        read += part
    return read
