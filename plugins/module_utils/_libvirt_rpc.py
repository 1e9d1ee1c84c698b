# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the few questions of the facts to libvirt's daemon, over its read-only socket.

The facts are gathered on every host again and again, and libvirt's Python bindings would cost them more than all else together: their import
alone as much as a bare Python, and half as much memory as a whole Ansible module. The protocol on the socket is libvirt's stable one
(remote_protocol.x, XDR of RFC 4506). Whatever changes something goes through the bindings, in `_libvirt`.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

__all__ = ["Daemon", "DaemonError"]

_PROGRAM, _VERSION, _CALL, _OK = 0x20008086, 1, 0, 0
# Procedures of remote_protocol.x.
_OPEN, _DOMAIN_XML, _AUTH_LIST, _DOMAINS, _NETWORKS, _PORTS, _PORT_XML = 1, 14, 66, 273, 283, 404, 409
_READ_ONLY = 1  # VIR_CONNECT_RO
_HEADER = struct.Struct(">7I")
# A daemon that hangs must not make the facts hang.
_TIMEOUT = 20


class DaemonError(Exception):
    """The daemon refused, with its words; ``code`` is one of virterror.h."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Daemon:
    """A read-only connection. Any method raises DaemonError, or OSError where there is no daemon or it does not answer."""

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

    def ports(self, network: tuple[str, bytes]) -> list[str]:
        """The XML of each port of a network; one that goes away meanwhile is left out."""
        name = _text(network[0]) + network[1]
        reply = self._call(_PORTS, name, _number(1), _number(0))
        # Each port names its network again, before its own UUID.
        uuids = [(reply.text(), reply.uuid(), reply.uuid())[2] for _item in range(reply.number())]
        return self._documents([(_PORT_XML, name, uuid, _number(0)) for uuid in uuids], gone=107)

    def domains(self, listed: int, xml: int) -> list[str]:
        """The XML of each domain (flags of virConnectListAllDomains and of virDomainGetXMLDesc)."""
        reply = self._call(_DOMAINS, _number(1), _number(listed))
        names = [_text(reply.text()) + reply.uuid() + _number(reply.number()) for _item in range(reply.number())]
        return self._documents([(_DOMAIN_XML, name, _number(xml)) for name in names], gone=42)

    def _documents(self, calls: list[tuple[Any, ...]], gone: int) -> list[str]:
        documents = []
        for call in calls:
            try:
                documents.append(self._call(*call).text())
            except DaemonError as error:
                if error.code != gone:
                    raise
        return documents

    def _call(self, procedure: int, *arguments: bytes) -> _Reply:
        body = b"".join(arguments)
        self._serial += 1
        self._socket.sendall(_HEADER.pack(_HEADER.size + len(body), _PROGRAM, _VERSION, procedure, _CALL, self._serial, _OK) + body)
        length, _program, _version, _procedure, _type, _serial, status = _HEADER.unpack(self._receive(_HEADER.size))
        reply = _Reply(self._receive(length - _HEADER.size))
        if status == _OK:
            return reply
        code, _domain, said = reply.number(), reply.number(), reply.number()
        raise DaemonError(" ".join(reply.text().split()) if said else f"error {code}", code)

    def _receive(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            part = self._socket.recv(count - len(received))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            received += part
        return received


class _Reply:
    """What a reply says, in its order."""

    def __init__(self, body: bytes) -> None:
        self._body, self._position = body, 0

    def _take(self, count: int) -> bytes:
        taken = self._body[self._position : self._position + count]
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
