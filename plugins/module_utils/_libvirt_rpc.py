# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the few questions of the facts to libvirt's daemon, over its read-only socket.

Why not libvirt's Python bindings, as everywhere else in this collection: the facts are gathered on every host again and again, and must
stay within 1.3 times the memory of ping. Asked through the bindings, the same questions take 13 MiB more than ping's 22 MiB in place of 0.6,
and 17 ms of a processor in place of 4; and where the module's Python is not the distribution's, which alone has them, the module would have
to start a second time. docs/performance.md tells how that was measured. Whatever changes something goes through the bindings, in `_libvirt`.

The protocol is libvirt's own and stable: procedures are numbered in src/remote/remote_protocol.x and never change, messages are framed as in
src/rpc/virnetprotocol.x, and their content is XDR (RFC 4506). An answer that is not exactly the one to the question is never guessed at:
it is an error, and ends in `incomplete` of the facts.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["Daemon", "DaemonError"]

_PROGRAM, _VERSION = 0x20008086, 1  # REMOTE_PROGRAM, REMOTE_PROTOCOL_VERSION
_CALL, _REPLY = 0, 1  # virNetMessageType
_OK, _ERROR = 0, 1  # virNetMessageStatus
_LONGEST = 4 + 32 * 1024 * 1024  # VIR_NET_MESSAGE_LEN_MAX + VIR_NET_MESSAGE_MAX, in bytes
# REMOTE_PROC_CONNECT_OPEN and so on.
_OPEN, _DOMAIN_XML, _AUTH_LIST, _DOMAINS, _NETWORKS, _PORTS, _PORT_XML = 1, 14, 66, 273, 283, 404, 409
_READ_ONLY = 1  # VIR_CONNECT_RO
_NO_DOMAIN, _NO_PORT = 42, 107  # of virterror.h
_HEADER = struct.Struct(">7I")
# Seconds for each answer: a daemon that hangs must not make the facts hang.
_TIMEOUT = 20


class DaemonError(Exception):
    """The daemon refused, with its words; ``code`` is one of virterror.h."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Daemon:
    """A read-only connection. Any method raises DaemonError, or OSError where there is no daemon or no answer that makes sense."""

    def __init__(self, path: str, uri: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._serial = 0
        try:
            self._socket.settimeout(_TIMEOUT)
            self._socket.connect(path)
            self._call(_AUTH_LIST)
            self._call(_OPEN, _number(1), _text(uri), _number(_READ_ONLY))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def networks(self, flags: int) -> list[tuple[str, bytes]]:
        """Name and UUID of each network (``flags`` of virConnectListAllNetworks); this pair is what `ports` takes."""
        reply = self._call(_NETWORKS, _number(1), _number(flags))
        return [(reply.text(), reply.uuid()) for _item in range(reply.number())]

    def ports(self, network: tuple[str, bytes]) -> Iterator[str]:
        """The XML of each port of a network; one that goes away meanwhile is left out."""
        name = _text(network[0]) + network[1]
        reply = self._call(_PORTS, name, _number(1), _number(0))
        # Each port names its network again, before its own UUID.
        uuids = [(reply.text(), reply.uuid(), reply.uuid())[2] for _item in range(reply.number())]
        return self._documents([(f"the network {network[0]}", _PORT_XML, name, uuid, _number(0)) for uuid in uuids], gone=_NO_PORT)

    def domains(self, listed: int, xml: int) -> Iterator[str]:
        """The XML of each domain (flags of virConnectListAllDomains and of virDomainGetXMLDesc)."""
        reply = self._call(_DOMAINS, _number(1), _number(listed))
        names = [(reply.text(), reply.uuid() + _number(reply.number())) for _item in range(reply.number())]
        return self._documents([(f"the guest {name}", _DOMAIN_XML, _text(name) + rest, _number(xml)) for name, rest in names], gone=_NO_DOMAIN)

    def _documents(self, calls: list[tuple[Any, ...]], gone: int) -> Iterator[str]:
        """Each as it is told, so that what was told before a failure is not lost."""
        for whose, *call in calls:
            try:
                yield self._call(*call).text()
            except socket.timeout:
                raise TimeoutError(f"no answer about {whose} in {_TIMEOUT} s") from None
            except DaemonError as error:
                if error.code != gone:
                    raise

    def _call(self, procedure: int, *arguments: bytes) -> _Reply:
        body = b"".join(arguments)
        self._serial += 1
        deadline = time.monotonic() + _TIMEOUT
        self._socket.settimeout(_TIMEOUT)
        self._socket.sendall(_HEADER.pack(_HEADER.size + len(body), _PROGRAM, _VERSION, procedure, _CALL, self._serial, _OK) + body)
        length, *answered, status = _HEADER.unpack(self._receive(_HEADER.size, deadline))
        if answered != [_PROGRAM, _VERSION, procedure, _REPLY, self._serial] or status not in (_OK, _ERROR) or not _HEADER.size <= length <= _LONGEST:
            raise ConnectionError("its answer is not one of libvirt's protocol")
        reply = _Reply(self._receive(length - _HEADER.size, deadline))
        if status == _OK:
            return reply
        code, _domain, said = reply.number(), reply.number(), reply.number()
        raise DaemonError(" ".join(reply.text().split()) if said else f"error {code}", code)

    def _receive(self, count: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < count:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            part = self._socket.recv(count - len(received))
            if not part:
                raise ConnectionError("it closed the connection")
            received += part
        return bytes(received)


class _Reply:
    """What a reply says, in its order. Raises ConnectionError where the reply ends before that."""

    def __init__(self, body: bytes) -> None:
        self._body, self._position = body, 0

    def _take(self, count: int) -> bytes:
        taken = self._body[self._position : self._position + count]
        if len(taken) < count:
            raise ConnectionError("its answer ends too early")
        self._position += count
        return taken

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def uuid(self) -> bytes:
        return self._take(16)

    def text(self) -> str:
        count = self.number()
        return self._take(count + -count % 4)[:count].decode("utf-8", "replace")


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _number(len(encoded)) + encoded + bytes(-len(encoded) % 4)
