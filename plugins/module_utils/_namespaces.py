# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which network namespace a PCI function's interface was moved to."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

from ansible_collections.vfpool.sriov.plugins.module_utils._ethtool import bus_info
from ansible_collections.vfpool.sriov.plugins.module_utils._processes import command

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_in_namespaces"]

_CLONE_NEWNET = 0x40000000  # linux/sched.h


def find_in_namespaces(addresses: set[str], proc: str = "/proc", named: str = "/run/netns") -> dict[str, str]:
    """PCI address to the name of the network namespace that its interface is in; those not found are left out.

    A namespace is called as ``ip netns`` calls it, or ``pid 4711 (nginx)`` after the first process in it.
    No process is started: a thread of ours enters each namespace in turn, and ends.
    """
    found: dict[str, str] = {}
    searcher = threading.Thread(target=_search, args=(addresses, list(_namespaces(proc, named)), found))
    searcher.start()
    searcher.join()
    return found


def _namespaces(proc: str, named: str) -> Iterator[tuple[str, str]]:
    """Path and name of every namespace other than ours, once each."""
    seen = {_identity(f"{proc}/self/ns/net")}
    paths = [(f"{named}/{name}", name) for name in _entries(named)]
    paths += [(f"{proc}/{pid}/ns/net", "") for pid in sorted(filter(str.isdigit, _entries(proc)), key=int)]
    for path, name in paths:
        identity = _identity(path)
        if identity is not None and identity not in seen:
            seen.add(identity)
            pid = path.split("/")[-3]
            yield path, name or f"pid {pid} ({command(pid, proc)})"


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _search(addresses: set[str], namespaces: list[tuple[str, str]], found: dict[str, str]) -> None:
    for path, name in namespaces:
        if len(found) == len(addresses):
            return
        try:
            _enter(path)
            for _index, interface in socket.if_nameindex():
                address = _pci_address(interface)
                if address in addresses:
                    found[address] = name
        except OSError:
            continue  # gone meanwhile, or not ours to enter: what lives there stays without a name


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
    try:
        return bus_info(interface) or ""
    except OSError:
        return ""
