# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trees on which all other tests stand have the shapes that the kernel makes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree


def links(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, folders, files in os.walk(root) for name in folders + files if os.path.islink(f"{folder}/{name}")]


@pytest.mark.parametrize("virtio", [False, True])
def test_every_link_of_a_tree_is_relative_and_leads_somewhere(tree: Tree, virtio: bool) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=12, virtio=virtio).rdma("mlx5_0")
    assert [link for link in links(tree.root) if os.readlink(link).startswith("/") or not link.exists()] == []


def test_an_interface_leads_to_its_function_and_back(tree: Tree) -> None:
    tree.pf("enp1s0", "0001:41:00.1", vfs=4)
    device = tree.root / "class/net/enp1s0v2/device"
    assert device.resolve() == tree.root / "bus/pci/devices/0001:41:10.5"
    assert os.readlink(device / "physfn") == "../0001:41:00.1"
    assert os.listdir(device / "net") == ["enp1s0v2"]


def test_the_interface_of_a_virtio_function_stands_on_its_virtio_device(tree: Tree) -> None:
    tree.pf("enp3s0", "0000:03:00.0", vfs=2, virtio=True)
    assert os.readlink(tree.root / "class/net/enp3s0v1/device") == "../../../virtio2"
    assert (tree.root / "class/net/enp3s0v1/device/../physfn").exists()


def test_vfs_lie_at_the_offset_and_stride_of_the_card_across_buses(tree: Tree) -> None:
    pf = tree.pf(None, "0000:ff:00.0", vfs=0, offset=1, stride=1)
    assert [vf.address for vf in pf.resize(9).vfs.values()][-2:] == ["0000:ff:01.0", "0000:ff:01.1"]
    with pytest.raises(ValueError, match="beyond the last bus"):
        pf.resize(256)


def test_vfs_lose_their_names_in_two_ways_and_vanish_in_a_third(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=5)
    pf.vf(1).nameless().bound_to("vfio-pci")
    pf.vf(2).elsewhere()
    pf.remove_vf(3)
    assert not pf.vf(1).net.exists() and os.listdir(pf.vf(2).net) == []
    assert os.path.basename(os.readlink(pf.vf(1).folder / "driver")) == "vfio-pci"
    assert sorted(os.listdir(tree.root / "class/net")) == ["enp1s0", "enp1s0v0", "enp1s0v4"]
    assert not os.path.lexists(pf.folder / "virtfn3")
    pf.add_vf(3)
    pf.vf(2).named("back0")
    assert sorted(os.listdir(tree.root / "class/net")) == ["back0", "enp1s0", "enp1s0v0", "enp1s0v3", "enp1s0v4"]


def test_a_resize_leaves_exactly_the_new_number_of_vfs(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=7, total=8).resize(3)
    assert len(list(pf.folder.glob("virtfn*"))) == 3
    assert len(os.listdir(tree.root / "bus/pci/devices")) == 4
    assert [(pf.folder / f"sriov_{name}").read_text() for name in ("numvfs", "totalvfs")] == ["3\n", "8\n"]


def test_a_renamed_interface_keeps_its_address(tree: Tree) -> None:
    pf = tree.pf("eth0", "0000:01:00.0", mac="52:54:00:aa:00:01")
    pf.renamed("enp1s0")
    assert (tree.root / "class/net/enp1s0/address").read_text() == "52:54:00:aa:00:01\n"
    assert os.listdir(tree.root / "class/net") == ["enp1s0"]


def test_two_interfaces_may_stand_on_one_function(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    pf.named("enp1s0d1", dev_port=1, phys_port_id="0a1b")
    assert sorted(os.listdir(pf.net)) == ["enp1s0", "enp1s0d1"]
    assert (pf.net / "enp1s0d1/phys_port_id").read_text() == "0a1b\n"


def test_an_unreadable_file_fails_for_root_too(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0").unreadable("numa_node", "net/enp1s0/speed")
    for file in ("numa_node", "net/enp1s0/speed"):
        with pytest.raises(OSError) as failure:
            (pf.folder / file).read_bytes()
        assert failure.value.errno == errno.EIO


def test_a_cleared_tree_is_as_new(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=3).rdma("mlx5_0")
    tree.virtual("lo").clear().pf("enp1s0", "0000:01:00.0", vfs=3)
    assert len(os.listdir(tree.root / "class/net")) == 4
