# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that drive a VF from user space, in the whole facts: a synthetic card, and a real process that has the VF's device file open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._claims import holder
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Function, Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import ANSWERS, daemon, number, reply, text

ADDRESS = "<source><address bus='1' slot='0x10' function='2'/></source>"
GUEST = f"<domain><name>db1</name><uuid>d</uuid><devices><hostdev type='pci'>{ADDRESS}</hostdev></devices></domain>"


@pytest.fixture(autouse=True)
def no_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A libvirt without guests, and no other network namespace."""
    (tmp_path / "1").mkdir()
    with daemon(lambda procedure, serial: reply(procedure, serial, number(0) if procedure in (273, 283) else ANSWERS[procedure])) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
        yield


def used_by(tree: Tree) -> list[Any]:
    links = [{"ifname": name, "altnames": []} for name in os.listdir(tree.root / "class/net")]
    (pf,) = gather(None, frozenset({"min", "usage"}), Commands(links).run, Sysfs(str(tree.root)))["pfs"]
    return [vf["used_by"] for vf in pf["vfs"]]


def has_folder(folder: str) -> Callable[[Function], object]:
    """As a driver makes it in the function's own folder: `uio/uio0`."""
    return lambda vf: (vf.folder / folder).mkdir(parents=True)


def has_device_of(device_class: str, name: str, inside: str = "") -> Callable[[Function], object]:
    """As a driver makes it in the function's own folder, and the kernel's class (or bus) links to it."""

    def make(vf: Function) -> None:
        (vf.folder / name / inside).mkdir(parents=True)
        (vf.tree.root / device_class).mkdir(parents=True)
        (vf.tree.root / device_class / name).symlink_to(os.path.relpath(vf.folder / name, vf.tree.root / device_class))

    return make


@pytest.mark.parametrize(
    ("make", "device"),
    [
        (lambda vf: None, "vfio/41"),
        (lambda vf: None, "vfio/noiommu-41"),
        (has_folder("vfio-dev/vfio3"), "vfio/devices/vfio3"),
        (has_folder("uio/uio0"), "uio0"),
        (has_device_of("class/infiniband_verbs", "uverbs2"), "infiniband/uverbs2"),
        (has_device_of("bus/vdpa/devices", "vdpa0", "vhost-vdpa-0"), "vhost-vdpa-0"),
    ],
    ids=["VFIO group", "VFIO group without IOMMU", "VFIO device", "UIO", "verbs", "vDPA"],
)  # fmt: skip
def test_the_process_that_has_a_vf_open_is_named_and_no_other_vf_is_held(
    tree: Tree, tmp_path: Path, make: Callable[[Function], object], device: str
) -> None:
    vf = tree.pf("enp1s0", "0000:01:00.0", vfs=3, iommu_group=None).vf(1).nameless().bound_to("vfio-pci").grouped(41)
    make(vf)
    file = tmp_path / "dev" / device
    file.parent.mkdir(parents=True)
    free = used_by(tree)
    with file.open("w"):
        held = used_by(tree)
    assert not free[1]
    assert held == [free[0], [holder("vfio", f"pid {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})")], free[2]]


@pytest.mark.parametrize("device", ["vfio/4", "vfio/411", "vfio/vfio", "vfio/devices/vfio31", "uio01", "null"])
def test_a_device_file_of_another_function_holds_nothing(tree: Tree, tmp_path: Path, device: str) -> None:
    vf = tree.pf("enp1s0", "0000:01:00.0", vfs=2, iommu_group=None).vf(1).nameless().bound_to("vfio-pci").grouped(41)
    for folder in ("vfio-dev/vfio3", "uio/uio0"):
        has_folder(folder)(vf)
    file = tmp_path / "dev" / device
    file.parent.mkdir(parents=True)
    with file.open("w"):
        assert not used_by(tree)[1]


def test_the_process_of_a_running_guest_is_the_guest(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vf = tree.pf("enp1s0", "0000:01:00.0", vfs=2, iommu_group=None).vf(1).nameless().bound_to("vfio-pci").grouped(41)
    assert vf.address == "0000:01:10.2"
    file = tmp_path / "dev/vfio/41"
    file.parent.mkdir(parents=True)
    with daemon(lambda procedure, serial: reply(procedure, serial, text(GUEST) if procedure == 14 else None)) as sockets, file.open("w"):
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        assert used_by(tree)[1] == [holder("libvirt_domain", "db1", "d")]
