# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: questions to rtnetlink in the network namespace of this thread that ``ip`` does not put, or at too high a price.

A host has as many of these namespaces as it has containers, and each would cost a process of ``ip``.
Sources: linux/netlink.h, rtnetlink.h, if_link.h and net_namespace.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

__all__ = ["links_on", "vfs_in_list"]

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_ATTRIBUTE = struct.Struct("=HH")  # rtattr
_ERROR, _DONE, _GETLINK, _GETNSID = 2, 3, 18, 90
_REQUEST, _DUMP, _INTERRUPTED = 0x1, 0x300, 0x10
_IFINFOMSG, _RTGENMSG = 16, 4  # their sizes in bytes
_IFNAME, _LINK, _LINKINFO, _VFINFO_LIST, _EXT_MASK, _LINK_NETNSID, _INFO_KIND = 3, 5, 18, 22, 29, 37, 1
_WITH_VFS = 1  # RTEXT_FILTER_VF, without RTEXT_FILTER_SKIP_STATS
_NSID, _NSID_FD = 1, 3
_TYPE = 0x3FFF  # without the flags of an attribute's type
# The kernel fills a message of a list up to 32 KiB. That of a single interface has all of its VFs, each in some 300 bytes.
_BUFFER = 1024 * 1024
_LONGEST = 65535  # of an attribute, in bytes


def links_on(home: int) -> list[tuple[int, str, str]]:
    """The links of this namespace that stand on one of the namespace that ``home`` is open on: the index of that, their name and kind.

    Raises OSError.
    """
    links = [dict(_attributes(body[_IFINFOMSG:])) for body in _ask(_GETLINK, _DUMP, bytes(_IFINFOMSG))]
    links = [link for link in links if _LINK in link and _LINK_NETNSID in link]
    number = _number_of(home) if links else None
    kinds = [dict(_attributes(link.get(_LINKINFO, b""))).get(_INFO_KIND, b"") for link in links]
    return [
        (_number(link[_LINK]), _text(link[_IFNAME]), _text(kind)) for link, kind in zip(links, kinds) if _number(link[_LINK_NETNSID]) == number
    ]


def vfs_in_list(name: str) -> tuple[int, int] | None:
    """How many VFs of an interface its list shows to who asks as libvirt does, and for how many there is room; None without such a list.

    libvirt (virNetDevGetVfConfig) asks for statistics, too. Of a list that is longer than an attribute can be, its length modulo 64 KiB is told
    (nla_nest_end() of include/net/netlink.h). Raises OSError.
    """
    for body in _ask(_GETLINK, 0, struct.pack("=4xi8x", socket.if_nametoindex(name)) + _attribute(_EXT_MASK, _WITH_VFS)):
        # The first: what follows a list that was cut are bytes of VFs.
        listed = next((content for kind, content in _attributes(body[_IFINFOMSG:]) if kind == _VFINFO_LIST), b"")
        size = _ATTRIBUTE.unpack_from(listed)[0] if len(listed) >= _ATTRIBUTE.size else 0
        if size:  # of any VF's, as all have the same attributes
            return len(listed) // size, (_LONGEST - _ATTRIBUTE.size) // size
    return None


def _number_of(namespace: int) -> int | None:
    """By which number this namespace knows the one that a file descriptor is open on, if at all."""
    for body in _ask(_GETNSID, 0, bytes(_RTGENMSG) + _attribute(_NSID_FD, namespace)):
        number = _number(dict(_attributes(body[_RTGENMSG:]))[_NSID])
        return number if number >= 0 else None
    return None


def _ask(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """The body of each message that answers a request."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)
        while True:
            answer = asked.recv(_BUFFER)
            position = 0
            while position < len(answer):
                length, said, flagged, _sequence, _port = _HEADER.unpack_from(answer, position)
                content = answer[position + _HEADER.size : position + length]
                if flagged & _INTERRUPTED:
                    raise OSError(errno.EINTR, "the list changed while it was read")
                if said == _DONE:
                    return
                if said == _ERROR:
                    code = -_number(content)
                    raise OSError(code, os.strerror(code))
                yield content
                position += length + -length % 4
            if not flags & _DUMP:
                return


def _attribute(kind: int, number: int) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, kind) + struct.pack("=I", number)


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _ATTRIBUTE.size <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, position)
        yield kind & _TYPE, content[position + _ATTRIBUTE.size : position + length]
        position += max(length + -length % 4, _ATTRIBUTE.size)


def _number(content: bytes) -> int:
    (number,) = struct.unpack_from("=i", content)
    return int(number)


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "replace")
