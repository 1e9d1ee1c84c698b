# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what other network namespaces have of this one: interfaces that were moved there, and links that stand on ours.

A container's macvlan is such a link. In this namespace the kernel shows no trace of it, not even at the interface that it stands on.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._processes import HIDDEN, command

__all__ = ["look_elsewhere"]

_PROC, _NAMED = "/proc", "/run/netns"
_CLONE_NEWNET = 0x40000000  # linux/sched.h


class Upper(NamedTuple):
    """A link in another namespace that stands on the link of ours with the index ``lower``."""

    lower: int
    name: str
    kind: str
    namespace: str


class Elsewhere(NamedTuple):
    """The namespace of each interface that was moved, by PCI address; the links that stand on ours; and why there may be more of both.

    A namespace is called as ``ip netns`` calls it, or ``pid 4711 (nginx)`` after the first process in it.
    """

    moved: dict[str, str]
    uppers: list[Upper]
    doubts: list[str]


def look_elsewhere(moved: set[str]) -> Elsewhere:
    """Look into each network namespace that has a process or a name, for the interfaces of the PCI addresses ``moved`` and for links on ours.

    No process is started: a thread of ours enters each namespace in turn, and ends.
    """
    found = Elsewhere({}, [], [])
    unseen: list[str] = []
    pids = sorted(filter(str.isdigit, _entries(_PROC)), key=int)
    others = list(_namespaces(pids, unseen))
    if others:
        searcher = threading.Thread(target=_search, args=(moved, others, found, unseen))
        searcher.start()
        searcher.join()
    if unseen:
        found.doubts.append(f"the network namespaces of some processes ({len(unseen)}) cannot be seen: become root, in a container with CAP_SYS_PTRACE")
    if "1" not in pids:
        found.doubts.append(HIDDEN)
    return found


def _namespaces(pids: list[str], unseen: list[str]) -> Iterator[tuple[str, str]]:
    """Path and name of every namespace other than ours, once each."""
    seen = {_identity(f"{_PROC}/self/ns/net", unseen)}
    paths = [(f"{_NAMED}/{name}", name) for name in sorted(_entries(_NAMED))]
    paths += [(f"{_PROC}/{pid}/ns/net", "") for pid in pids]
    for path, name in paths:
        identity = _identity(path, unseen)
        if identity is not None and identity not in seen:
            seen.add(identity)
            pid = path.split("/")[-3]
            yield path, name or f"pid {pid} ({command(pid, _PROC)})"


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _identity(path: str, unseen: list[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except PermissionError:
        if not _is_ours(path):
            unseen.append(path)
        return None
    except OSError:  # it ended meanwhile
        return None
    return status.st_dev, status.st_ino


def _is_ours(path: str) -> bool:
    """Whether a process whose namespace may not be looked at is in ours: each namespace has its own /proc/net, and who may not read it sees which."""
    try:
        return os.path.samefile(f"{_PROC}/self/net/dev", path.replace("/ns/net", "/net/dev"))
    except OSError:
        return False


def _search(moved: set[str], namespaces: list[tuple[str, str]], found: Elsewhere, unseen: list[str]) -> None:
    # Many hosts have one namespace alone.
    from ansible_collections.vfpool.sriov.plugins.module_utils._rtnetlink import links_on

    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        for path, name in namespaces:
            try:
                _enter(path)
                if len(found.moved) < len(moved):
                    here = {_pci_address(interface) for _index, interface in socket.if_nameindex()}
                    found.moved.update(dict.fromkeys(here & moved, name))
                found.uppers.extend(Upper(*link, name) for link in links_on(home))
            except FileNotFoundError:
                continue  # its last process has ended
            except (OSError, LookupError, struct.error):  # also an answer that makes no sense
                unseen.append(path)
    finally:
        os.close(home)


def _enter(path: str) -> None:
    """Move this thread, not the process, into a network namespace."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if sys.version_info >= (3, 12):
            os.setns(fd, _CLONE_NEWNET)  # novm: the line above sees to it
        else:
            import ctypes  # rarely needed

            if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


def _pci_address(interface: str) -> str:
    """What an interface of this thread's namespace stands on; lo and its like have no driver to tell it."""
    from ansible_collections.vfpool.sriov.plugins.module_utils._ethtool import bus_info

    try:
        return bus_info(interface) or ""
    except OSError:
        return ""
