# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel and a udev on a sysfs tree, for the refusals that no emulated card can produce.

What stands outside the code is replaced here and nothing else: the write to a sysfs file, the command ip, pyudev.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Tree

__all__ = ["RecordedKernel"]


class RecordedKernel:
    """One host with one PF, enp1s0, whose VFs come and go as written.

    ``refusals`` maps what is written, as ``"sriov_numvfs=4"``, or an ``ip`` command, to the error that it gets.
    ``before_write`` maps what is written to what somebody else does at that very moment.
    ``makes`` is the most VFs that the card makes whatever it is asked for. ``silent`` VFs are never reported by udev.
    ``drivers`` are those whose modules the host has, None on a host without modprobe. ``eswitch_mode`` is that of the card's switch, if it has one.
    """

    def __init__(self, tree: Tree, monkeypatch: pytest.MonkeyPatch, vfs: int = 0, total: int = 8) -> None:
        self.pf: PF = tree.pf("enp1s0", "0000:01:00.0", vfs=vfs, total=total)
        self.tree, self.sysfs = tree, Sysfs(str(tree.root))
        self.refusals: dict = {}
        self.before_write: dict[str, Callable[[], object]] = {}
        self.makes = total
        self.used_by: dict[int, list[dict]] = {}
        self.silent: set[int] = set()
        self.drivers: set[str] | None = {"igbvf", "vfio-pci"}
        self.eswitch_mode: str | None = None
        self.log: list[str] = []
        self.link: dict = {"ifname": "enp1s0", "address": "52:54:00:00:00:02", "min_mtu": 68, "max_mtu": 9216, "vfinfo_list": []}
        self._at_work = False  # the tree writes its files with the same system call
        self._really_write = os.write
        (tree.root / "bus/pci/drivers_probe").touch()
        monkeypatch.setattr(os, "write", self._write)
        monkeypatch.setitem(sys.modules, "pyudev", self._pyudev())

    def read(self) -> dict:
        """The PF as the facts have it, with every VF free that ``used_by`` names no holder of."""
        (pf,) = gather(None, frozenset(("min", "config")), self.run, self.sysfs)["pfs"]
        for vf in pf["vfs"]:
            vf["used_by"] = self.used_by.get(vf["index"], [])
        return pf

    def run(self, command: list[str], data: str = "") -> tuple[int, str, str]:
        """In place of AnsibleModule.run_command."""
        line = " ".join(command)
        if command[:4] == ["ip", "-json", "-details", "address"]:
            others = sorted(set(os.listdir(self.tree.root / "class/net")) - {"enp1s0"})
            return 0, json.dumps([self.link, *({"ifname": name} for name in others)]), ""
        if command[:4] == ["devlink", "-j", "dev", "eswitch"]:
            return (1, "", self.refusals[line]) if line in self.refusals else self._show_eswitch_mode(command[-1])
        if command[:2] == ["modprobe", "--dry-run"]:
            if self.drivers is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
            return int(command[-1] not in self.drivers), "", ""
        self.log.append(line)
        if line in self.refusals:
            return 2, "", self.refusals[line]
        if command[:5] == ["ip", "link", "set", "dev", "enp1s0"]:
            self._set_link(command[5:])
        if command[:4] == ["devlink", "dev", "eswitch", "set"]:
            self.eswitch_mode = command[-1]
        return 0, "", ""

    def _show_eswitch_mode(self, device: str) -> tuple[int, str, str]:
        if self.eswitch_mode is None:
            return 1, "", "kernel answers: No such device\n"
        return 0, json.dumps({"dev": {device: {"mode": self.eswitch_mode}}}), ""

    def _set_link(self, words: list[str]) -> None:
        folder = Path(self.pf.net, "enp1s0")
        if words in (["up"], ["down"]):
            (folder / "flags").write_text("0x1003\n" if words == ["up"] else "0x1002\n", encoding="ascii")
        elif words[0] == "mtu":
            (folder / "mtu").write_text(words[1] + "\n", encoding="ascii")

    def _write(self, fd: int, content: bytes) -> int:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if path == self.tree.root / "bus/pci/drivers_probe":
            self._probe(content.decode())
        if self._at_work or path.parent != Path(self.pf.path).resolve():
            return self._really_write(fd, content)
        entry = f"{path.name}={content.decode()}"
        self.log.append(entry)
        if entry in self.before_write:
            self._at_work = True
            self.before_write[entry]()
            self._at_work = False
        if entry in self.refusals:
            raise OSError(self.refusals[entry], os.strerror(self.refusals[entry]))
        if path.name == "sriov_numvfs":
            self._at_work = True
            self.pf.resize(min(int(content), self.makes))
            for vf in self.pf.vfs.values():
                vf.write(driver_override="")
                if not self._autoprobe:
                    vf.nameless().bound_to(None)
            self._at_work = False
        else:
            path.write_bytes(content)
        return len(content)

    @property
    def _autoprobe(self) -> bool:
        return Path(self.pf.path, "sriov_drivers_autoprobe").read_text(encoding="ascii").strip() != "0"

    def _probe(self, address: str) -> None:
        """As pci_device_can_probe() of the kernel has it."""
        ((index, vf),) = [(index, vf) for index, vf in self.pf.vfs.items() if vf.address == address]
        override = (vf.folder / "driver_override").read_text(encoding="ascii").strip()
        self._at_work = True
        if override not in ("", "none"):
            vf.bound_to(override)
        elif override != "none" and self._autoprobe:
            vf.bound_to("igbvf").named(f"enp1s0v{index}")
        self._at_work = False

    def _pyudev(self) -> types.SimpleNamespace:
        class DeviceNotFoundError(Exception):
            pass

        def from_name(_context: object, subsystem: str, name: str) -> types.SimpleNamespace:
            folder = self.tree.root / ("bus/pci/devices" if subsystem == "pci" else "class/net") / name
            if not folder.exists():
                raise DeviceNotFoundError
            return types.SimpleNamespace(properties={}, is_initialized=subsystem == "pci" or not any(name.endswith(f"v{index}") for index in self.silent))

        monitor = types.SimpleNamespace(
            filter_by=lambda _subsystem: None, set_receive_buffer_size=lambda _size: None, start=lambda: None, poll=lambda _timeout: None
        )
        return types.SimpleNamespace(
            Context=lambda: None,
            Monitor=types.SimpleNamespace(from_netlink=lambda _context, source: monitor),
            Devices=types.SimpleNamespace(from_name=from_name),
            DeviceNotFoundError=DeviceNotFoundError,
        )
