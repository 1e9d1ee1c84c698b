# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that brings a PF back at boot, run by sh on a synthetic sysfs; systemd, udev and sleep are what is replaced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import boot_files
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree


@pytest.fixture
def commands(tmp_path: Path, tree: Tree) -> Path:
    folder = tmp_path / "commands"
    folder.mkdir()
    device = tree.root / "bus/pci/devices/0000:01:00.0/net/enp1s0"
    for name, body in {"systemctl": f"echo {device}", "udevadm": "true", "sleep": f"echo slept >> {tmp_path}/slept"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return folder


def run(commands: Path, tmp_path: Path, timeout: int) -> subprocess.CompletedProcess[str]:
    pf = {"name": "enp1s0", "pci_address": "0000:01:00.0", "permanent_mac": "52:54:00:aa:00:01"}
    script = boot_files("enx525400aa0001", pf, "enp1s0", {"num_vfs": 4}, timeout)["script"]
    (tmp_path / "script").write_text(script)
    return subprocess.run(["sh", tmp_path / "script"], env={"PATH": f"{commands}:/usr/bin:/bin"}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("virtio", [False, True])
def test_the_boot_goes_on_at_once_when_every_vf_has_its_interface(commands: Path, tmp_path: Path, tree: Tree, virtio: bool) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=4, virtio=virtio)
    device = next(tree.root.glob("bus/pci/devices/0000:01:00.0/**/net/enp1s0"))
    (commands / "systemctl").write_text(f"#!/bin/sh\necho {device}\n")
    assert run(commands, tmp_path, timeout=3).returncode == 0
    assert not (tmp_path / "slept").exists()


def test_the_boot_does_not_wait_for_vfs_that_get_no_interface(commands: Path, tmp_path: Path, tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    pf.vf(1).nameless().bound_to("vfio-pci")
    pf.vf(2).nameless().bound_to(None)
    assert run(commands, tmp_path, timeout=3).returncode == 0
    assert not (tmp_path / "slept").exists()


def test_the_boot_waits_no_longer_than_it_may(commands: Path, tmp_path: Path, tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=4).vf(1).nameless().bound_to("igbvf")
    (commands / "sleep").write_text(f"#!/bin/sh\necho slept >> {tmp_path}/slept\nexec /bin/sleep 0.1\n")
    ended = run(commands, tmp_path, timeout=2)
    assert (ended.returncode, ended.stderr) == (1, "virtfn1 has no interface after 2 s.\n")
    assert (tmp_path / "slept").exists()


@pytest.mark.parametrize(("pci_class", "rdma"), [("0x0b4000", False), ("0x010802", False), ("0x020700", True)])
def test_the_boot_waits_for_no_interface_of_what_makes_none(commands: Path, tmp_path: Path, tree: Tree, pci_class: str, rdma: bool) -> None:
    """An accelerator, a disk, and InfiniBand without ib_ipoib."""
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=4, vf_name=None, pci_class=pci_class)
    for index in range(4 if rdma else 0):
        pf.vf(index).rdma(f"mlx5_{index}")
    assert run(commands, tmp_path, timeout=3).returncode == 0
    assert not (tmp_path / "slept").exists()


def test_the_boot_waits_for_interfaces_of_a_driver_that_udev_loads_only_now(commands: Path, tmp_path: Path, tree: Tree) -> None:
    """As iavf, which registers them later than its module is loaded."""
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    vf, later = pf.vf(1).nameless().bound_to(None), tmp_path / "later"
    driver = f"ln -sfn ../../drivers/igbvf {vf.folder}/driver"
    (commands / "udevadm").write_text(f"#!/bin/sh\n[ -e {later} ] || {driver}\ntouch {later}\n")
    (commands / "sleep").write_text(f"#!/bin/sh\necho slept >> {tmp_path}/slept\nmkdir -p {vf.folder}/net/enp1s0v1\n")
    assert run(commands, tmp_path, timeout=3).returncode == 0
    assert (tmp_path / "slept").exists()


def test_fewer_vfs_than_declared_make_the_unit_fail(commands: Path, tmp_path: Path, tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    pf.write(sriov_numvfs=0)
    # What is written stays, but for a card that makes fewer.
    (commands / "cat").write_text('#!/bin/sh\ncase $1 in */sriov_numvfs) [ "$(/bin/cat "$1")" = 0 ] && echo 0 || echo 3 ;; *) exec /bin/cat "$@" ;; esac\n')
    (commands / "cat").chmod(0o755)
    ended = run(commands, tmp_path, timeout=3)
    assert (ended.returncode, ended.stderr) == (1, "The PF made 3 of 4 VFs.\n")
