# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import threading
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import function_of
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs, read_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Tree


def read(tree: Tree, udev: Path | None = None) -> tuple[list[dict], list[dict]]:
    incomplete = Incomplete()
    sysfs = Sysfs(str(tree.root), str(udev) if udev else None)
    pfs = find_pfs(sysfs, incomplete)
    for pf in pfs:
        read_vfs(pf, {}, sysfs, incomplete)
    return pfs, incomplete.entries()


def read_whole(tree: Tree) -> list[dict]:
    pfs, incomplete = read(tree)
    assert incomplete == []
    return pfs


def read_one(tree: Tree) -> dict:
    (pf,) = read_whole(tree)
    return pf


# Shapes


def test_a_host_without_sriov_has_no_pfs(tree: Tree) -> None:
    tree.function("0000:00:03.0", name="eth0")
    assert read_whole(tree) == []


def test_a_host_without_pci_has_no_pfs(tmp_path: Path) -> None:
    (tmp_path / "bus").mkdir()
    incomplete = Incomplete()
    assert (find_pfs(Sysfs(str(tmp_path)), incomplete), incomplete.entries()) == ([], [])


def test_where_no_sysfs_is_mounted_no_pfs_are_no_whole_answer(tmp_path: Path) -> None:
    incomplete = Incomplete()
    assert find_pfs(Sysfs(str(tmp_path)), incomplete) == []
    assert {"part": "pfs", "pf": None, "reason": f"{tmp_path} is no sysfs: mount it"} in incomplete.entries()


def test_interfaces_are_found_where_their_class_has_folders_in_place_of_links(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    expected = read_one(tree)
    for function in (pf, *pf.vfs.values()):
        link = tree.root / "class/net" / str(function.name)
        folder = link.resolve()
        link.unlink()
        folder.rename(link)
        (link / "device").unlink()
        (link / "device").symlink_to(f"../../../bus/pci/devices/{function.address}")
        folder.mkdir()
    assert read_one(tree) == expected
    assert [function_of(name, Sysfs(str(tree.root))) for name in ("enp1s0", "enp1s0v1")] == [pf.address, pf.vf(1).address]


def test_a_pf_tells_what_it_is_and_what_it_can(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2, total=7, mac="52:54:00:aa:00:01", mtu=9000, speed=10000, numa_node=1, vf_total_msix=64)
    pf = read_one(tree)
    assert {key: value for key, value in pf.items() if key != "vfs" and value is not None} == {
        "name": "enp1s0", "pci_address": "0000:01:00.0", "driver": "igb", "vendor_id": "8086", "device_id": "10c9",
        "mac": "52:54:00:aa:00:01", "permanent_mac": "52:54:00:aa:00:01", "mtu": 9000, "operstate": "up", "speed": 10000, "numa_node": 1,
        "total_vfs": 7, "num_vfs": 2, "vf_offset": 128, "vf_stride": 2, "vf_device_id": "10ca", "drivers_autoprobe": True, "vf_total_msix": 64,
        "dev_port": 0,
    }  # fmt: skip


def test_a_vf_tells_its_place_its_driver_and_its_interface(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2).vf(1).nameless().named("en1", mac="52:54:00:00:00:11", operstate="down")
    vf = read_one(tree)["vfs"][1]
    assert {key: value for key, value in vf.items() if value is not None} == {
        "index": 1, "pci_address": "0000:01:10.2", "name": "en1", "driver": "igbvf", "mac": "52:54:00:00:00:11", "operstate": "down", "iommu_group": 3,
    }  # fmt: skip


@pytest.mark.parametrize("number", [64, 256])
def test_many_vfs_come_in_numeric_order_each_at_its_own_address(tree: Tree, number: int) -> None:
    tree.pf("enp1s0", "0001:01:00.0", vfs=number, offset=256, stride=1)
    vfs = read_one(tree)["vfs"]
    assert [vf["index"] for vf in vfs] == list(range(number))
    assert [vf["name"] for vf in vfs] == [f"enp1s0v{index}" for index in range(number)]
    assert vfs[0]["pci_address"] == "0001:02:00.0"
    assert len({vf["pci_address"] for vf in vfs}) == number


def test_pfs_come_in_pci_order_with_long_domains_last(tree: Tree) -> None:
    for address in ("10000:01:00.0", "0001:00:00.0", "0000:81:00.1", "0000:81:00.0"):
        tree.pf(None, address)
    assert [pf["pci_address"] for pf in read_whole(tree)] == ["0000:81:00.0", "0000:81:00.1", "0001:00:00.0", "10000:01:00.0"]


def test_a_pf_without_an_interface_still_tells_its_vfs(tree: Tree) -> None:
    tree.pf(None, "0000:01:00.0", vfs=3)
    pf = read_one(tree)
    assert (pf["name"], pf["mac"], pf["speed"], len(pf["vfs"])) == (None, None, None, 3)


def test_virtio_interfaces_are_found_one_level_deeper(tree: Tree) -> None:
    tree.pf("enp3s0", "0000:03:00.0", vfs=4, driver="virtio-pci", vf_driver="virtio-pci", virtio=True)
    pf = read_one(tree)
    assert pf["name"] == "enp3s0"
    assert [vf["name"] for vf in pf["vfs"]] == [f"enp3s0v{index}" for index in range(4)]
    assert all(vf["mac"] for vf in pf["vfs"])


def test_a_vf_without_an_interface_is_nameless_for_any_of_the_reasons(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    pf.vf(0).nameless().bound_to("vfio-pci")
    pf.vf(1).nameless().bound_to(None)
    pf.vf(2).elsewhere()
    vfs = read_one(tree)["vfs"]
    assert [(vf["name"], vf["driver"], vf["mac"]) for vf in vfs[:3]] == [(None, "vfio-pci", None), (None, None, None), (None, "igbvf", None)]


def test_a_card_with_two_ports_on_one_function_is_one_pf_named_by_its_first_port(tree: Tree) -> None:
    tree.pf("ens1d1", "0000:01:00.0", vfs=1, dev_port=1).named("ens1", dev_port=0, mac="52:54:00:aa:00:07")
    pf = read_one(tree)
    assert (pf["name"], pf["other_interfaces"], pf["dev_port"], pf["mac"]) == ("ens1", ["ens1d1"], 0, "52:54:00:aa:00:07")


def test_a_representor_does_not_become_the_pf_when_the_pfs_own_interface_is_away(tree: Tree) -> None:
    pf = tree.pf(None, "0000:01:00.0", vfs=1)
    pf.named("enp1s0r0", phys_port_name="pf0vf0")
    found = read_one(tree)
    assert (found["name"], found["altnames"], found["vfs"][0]["representor"]) == (None, [], "enp1s0r0")


def test_representors_belong_to_their_vfs_and_not_to_the_pf(tree: Tree) -> None:
    pf = tree.pf("uplink", "0000:01:00.0", vfs=3)
    (pf.net / "uplink/phys_port_name").write_text("p0\n")
    for index in (0, 2):
        pf.named(f"enp1s0r{index}", phys_port_name=f"pf0vf{index}")
    for name, port in (("another_hosts", "c1pf0vf1"), ("a_pfs", "pf0"), ("a_subfunctions", "pf0sf88")):
        pf.named(name, phys_port_name=port)
    found = read_one(tree)
    assert found["name"] == "uplink" and "other_interfaces" not in found
    assert [vf["representor"] for vf in found["vfs"]] == ["enp1s0r0", None, "enp1s0r2"]


def test_an_rdma_device_is_named(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2).vf(1).rdma("mlx5_3")
    assert [vf["rdma"] for vf in read_one(tree)["vfs"]] == [None, "mlx5_3"]


def test_a_host_without_iommu_has_no_groups(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2, iommu_group=None)
    assert [vf["iommu_group"] for vf in read_one(tree)["vfs"]] == [None, None]


def test_a_link_that_is_down_has_no_speed(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", speed=-1, operstate="down")
    assert read_one(tree)["speed"] is None


def test_while_a_link_is_down_the_kernel_refuses_to_tell_its_speed_and_that_is_no_damage(tree: Tree) -> None:
    """As it refuses to tell that of lo; and to name the port, where it does not hide that file altogether."""
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    for name in ("speed", "phys_port_name"):
        (pf.net / "enp1s0" / name).unlink(missing_ok=True)
        (pf.net / "enp1s0" / name).symlink_to(f"/sys/class/net/lo/{name}")
    found = read_one(tree)
    assert (found["name"], found["speed"]) == ("enp1s0", None)


def test_a_link_of_speed_0_has_no_speed(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", speed=0)
    tree.pf("enp2s0", "0000:02:00.0", speed=1)
    assert [pf["speed"] for pf in read_whole(tree)] == [None, 1]


@pytest.mark.parametrize("state", ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"])
def test_every_state_of_a_link_is_known(tree: Tree, state: str) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=1, operstate=state).vf(0).renamed("wan0")
    (tree.root / "class/net/wan0/operstate").write_text(f"{state}\n")
    pf = read_one(tree)
    assert (pf["operstate"], pf["vfs"][0]["operstate"]) == (state, state)


@pytest.mark.parametrize(("written", "told"), [(0, False), (1, True)])
def test_a_pf_tells_whether_new_vfs_are_bound_to_their_driver(tree: Tree, written: int, told: bool) -> None:
    tree.pf("enp1s0", "0000:01:00.0").write(sriov_drivers_autoprobe=written)
    assert read_one(tree)["drivers_autoprobe"] is told


def test_a_card_whose_interface_has_no_speed_and_no_number_of_its_port_lacks_nothing(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0").absent("net/enp1s0/speed", "net/enp1s0/dev_port")
    found = read_one(tree)
    assert (found["speed"], found["dev_port"]) == (None, None)


def test_what_an_older_kernel_does_not_have_is_null_and_no_damage(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    pf.absent("sriov_offset", "sriov_stride", "sriov_vf_device", "sriov_drivers_autoprobe", "sriov_vf_total_msix", "numa_node")
    found = read_one(tree)
    assert [found[key] for key in ("vf_offset", "vf_stride", "vf_device_id", "drivers_autoprobe", "vf_total_msix", "numa_node")] == [None] * 6


def test_a_pf_whose_interface_is_in_another_namespace_tells_that_what_is_its_is_not_known(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=1).elsewhere()
    tree.pf("enp2s0", "0000:02:00.0", vfs=1, virtio=True).elsewhere()
    pfs, incomplete = read(tree)
    of_interface = ["altnames", "dev_port", "mac", "mtu", "operstate", "permanent_mac", "speed"]
    for pf in pfs:
        assert {key: pf[key] for key in ("name", *of_interface)} == dict.fromkeys(("name", *of_interface))
        told = {entry["part"]: entry["reason"] for entry in incomplete if entry["pf"] == pf["pci_address"]}
        assert told == dict.fromkeys(of_interface, "its interface was moved to another network namespace")


# The permanent address


NO_DEVICE = OSError(19, "No such device")


def ethtool_knows(monkeypatch: pytest.MonkeyPatch, permanent: bytes | OSError) -> None:
    """The kernel's answer about enp1s0, whose permanent address that is."""

    def ioctl(_socket: object, request: int, argument: bytes) -> None:
        name, place = struct.unpack("16sP", argument)
        command, room = struct.unpack("II", ctypes.string_at(place, 8))
        assert (request, name.rstrip(b"\0"), command, room) == (0x8946, b"enp1s0", 0x20, 32)
        if isinstance(permanent, OSError):
            raise permanent
        told = struct.pack("I", len(permanent)) + permanent
        ctypes.memmove(place + 4, told, len(told))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)


@pytest.mark.parametrize(
    ("permanent", "told"),
    [
        (bytes.fromhex("525400aa0001"), "52:54:00:aa:00:01"),
        (bytes(range(20)), "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13"),
        (bytes(6), None),
        (b"", None),
    ],
    ids=["ethernet", "infiniband", "a driver that knows none", "a device that has none"],
)
def test_of_an_interface_that_was_given_an_address_ethtool_knows_the_permanent_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, permanent: bytes, told: str | None
) -> None:
    tree.pf(None, "0000:01:00.0").named("enp1s0", mac="02:00:00:00:00:99", addr_assign_type=3)
    ethtool_knows(monkeypatch, permanent)
    pf = read_one(tree)
    assert (pf["mac"], pf["permanent_mac"]) == ("02:00:00:00:00:99", told)


@pytest.mark.parametrize("damage", [{"addr_assign_type": 3}, {"addr_assign_type": None}, {"mac": "none"}], ids=["set", "not told", "no address"])
def test_a_permanent_address_that_ethtool_does_not_give_is_not_known_and_named(tree: Tree, monkeypatch: pytest.MonkeyPatch, damage: dict) -> None:
    tree.pf(None, "0000:01:00.0").named("enp1s0", **{"addr_assign_type": 0, **damage})
    ethtool_knows(monkeypatch, NO_DEVICE)
    (pf,), incomplete = read(tree)
    assert pf["permanent_mac"] is None
    assert {"part": "permanent_mac", "pf": "0000:01:00.0", "reason": "ethtool gives no permanent address: No such device"} in incomplete


# Damage


def damaged(tree: Tree) -> PF:
    return tree.pf("enp1s0", "0000:01:00.0", vfs=3)


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_there(tree: Tree) -> None:
    damaged(tree).unreadable("numa_node", "net/enp1s0/operstate")
    (pf,), incomplete = read(tree)
    assert (pf["numa_node"], pf["operstate"], pf["mtu"]) == (None, None, 1500)
    assert incomplete == [
        {"part": "numa_node", "pf": "0000:01:00.0", "reason": "numa_node cannot be read: Input/output error"},
        {"part": "operstate", "pf": "0000:01:00.0", "reason": "operstate cannot be read: Input/output error"},
    ]


def test_vfs_that_lack_the_same_share_an_entry(tree: Tree) -> None:
    pf = damaged(tree)
    for index in (0, 1):
        pf.vf(index).unreadable(f"net/enp1s0v{index}/address")
    (found,), incomplete = read(tree)
    assert [vf["mac"] is None for vf in found["vfs"]] == [True, True, False]
    assert incomplete == [{"part": "vfs[0-1].mac", "pf": "0000:01:00.0", "reason": "address cannot be read: Input/output error"}]


@pytest.mark.parametrize(
    ("file", "part"),
    [("vendor", "vendor_id"), ("sriov_numvfs", "num_vfs"), ("sriov_vf_device", "vf_device_id"), ("net/enp1s0/address", "mac"), ("net/enp1s0/mtu", "mtu"),
     ("net/enp1s0/operstate", "operstate"), ("net/enp1s0/speed", "speed"), ("net/enp1s0/dev_port", "dev_port")],
)  # fmt: skip
def test_what_no_kernel_would_write_is_no_value(tree: Tree, file: str, part: str) -> None:
    damaged(tree).malformed(file)
    (pf,), incomplete = read(tree)
    assert pf[part] is None
    assert part in {entry["part"] for entry in incomplete}
    assert any("which is no" in entry["reason"] for entry in incomplete)


def test_a_file_that_every_kernel_has_is_missed(tree: Tree) -> None:
    damaged(tree).absent("sriov_numvfs")
    (pf,), incomplete = read(tree)
    assert pf["num_vfs"] is None
    assert incomplete == [
        {"part": "num_vfs", "pf": "0000:01:00.0", "reason": "sriov_numvfs does not exist"},
        {"part": "vfs", "pf": "0000:01:00.0", "reason": "sriov_numvfs is not known, so there may be more VFs than the 3 that the PF has links to"},
    ]


def test_a_number_of_vfs_that_no_card_has_is_compared_and_not_counted_to(tree: Tree) -> None:
    damaged(tree).malformed("sriov_numvfs", content=b"100000000000000000000\n")
    _pfs, incomplete = read(tree)
    assert [entry["part"] for entry in incomplete] == ["vfs"]


def test_vfs_that_are_made_while_the_host_is_read_have_their_interfaces(tree: Tree) -> None:
    """Before Linux 6.9 the kernel answers how many VFs there are only when it has made them all."""
    pf = tree.pf("enp1s0", "0000:01:00.0", total=4)
    count = pf.folder / "sriov_numvfs"
    count.unlink()
    os.mkfifo(count)
    maker = threading.Thread(target=pf.resize, args=(4,))
    maker.start()
    found = read_one(tree)
    maker.join()
    assert [vf["name"] for vf in found["vfs"]] == [f"enp1s0v{index}" for index in range(4)]


def test_a_gap_between_vfs_is_no_whole_list(tree: Tree) -> None:
    damaged(tree).remove_vf(1)
    (pf,), incomplete = read(tree)
    assert [vf["index"] for vf in pf["vfs"]] == [0, 2]
    assert [(entry["part"], entry["pf"]) for entry in incomplete] == [("vfs", "0000:01:00.0")]
    assert "sriov_numvfs is 3, but there are 2 links to VFs" in incomplete[0]["reason"]


def test_a_link_that_leads_to_no_function_gives_no_address(tree: Tree) -> None:
    link = Path(damaged(tree).path, "virtfn1")
    link.unlink()
    link.symlink_to("../nowhere")
    (pf,), incomplete = read(tree)
    assert pf["vfs"][1]["pci_address"] is None
    assert incomplete == [{"part": "vfs[1]", "pf": "0000:01:00.0", "reason": "its link of the PF leads to no PCI function"}]


def test_a_vf_without_an_address_has_no_interface_and_no_rdma_device_of_another(tree: Tree) -> None:
    """Such as those that stand on no PCI function."""
    link = Path(damaged(tree).path, "virtfn1")
    link.unlink()
    link.symlink_to("../nowhere")
    tree.virtual("lo")
    (tree.root / "devices/virtual/infiniband/rxe0").mkdir(parents=True)
    (tree.root / "class/infiniband/rxe0").symlink_to("../../devices/virtual/infiniband/rxe0")
    (pf,), _incomplete = read(tree)
    assert {key: value for key, value in pf["vfs"][1].items() if value is not None} == {"index": 1}


def test_as_many_vfs_as_there_should_be_with_a_gap_between_are_no_whole_list(tree: Tree) -> None:
    pf = damaged(tree)
    pf.remove_vf(1)
    pf.add_vf(3)
    _pfs, incomplete = read(tree)
    assert [entry["part"] for entry in incomplete] == ["vfs"]


def test_a_vf_that_goes_away_meanwhile_is_named(tree: Tree) -> None:
    link = Path(damaged(tree).path, "virtfn1")
    link.unlink()
    link.symlink_to("../0000:01:1f.7")
    (pf,), incomplete = read(tree)
    assert pf["vfs"][1]["pci_address"] == "0000:01:1f.7"
    assert incomplete == [{"part": "vfs[1]", "pf": "0000:01:00.0", "reason": "it went away while it was read"}]


def test_an_iommu_group_without_a_number_is_no_group(tree: Tree) -> None:
    link = Path(damaged(tree).vf(0).path, "iommu_group")
    link.unlink()
    link.symlink_to("../../../kernel/iommu_groups/none")
    (pf,), incomplete = read(tree)
    assert pf["vfs"][0]["iommu_group"] is None
    assert [entry["part"] for entry in incomplete] == ["vfs[0].iommu_group"]


# Names that udev may still change


def test_a_name_of_the_kernels_is_no_name_until_udev_is_done(tree: Tree, udev: Path) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=2, vf_name="eth{index}")
    ifindex = (pf.vf(0).net / "eth0/ifindex").read_text().strip()
    (udev / "data" / f"n{ifindex}").touch()
    (found,), incomplete = read(tree, udev)
    assert [vf["name"] for vf in found["vfs"]] == ["eth0", None]
    assert [entry["part"] for entry in incomplete] == ["vfs[1].name", "vfs[1].mac", "vfs[1].operstate"]
    assert "may rename it" in incomplete[0]["reason"]


def test_a_pf_whose_name_may_change_is_not_said_to_have_no_altnames(tree: Tree, udev: Path) -> None:
    tree.pf("eth0", "0000:01:00.0")
    (pf,), incomplete = read(tree, udev)
    assert (pf["name"], pf["altnames"]) == (None, None)
    assert [entry["part"] for entry in incomplete] == ["name", "altnames"]


def test_the_hosts_own_sysfs_has_a_udev_beside_it_and_no_other_one_has(tree: Tree) -> None:
    assert (Sysfs().root, Sysfs().udev, Sysfs(str(tree.root)).udev) == ("/sys", "/run/udev", None)


def test_without_udev_nobody_renames(tree: Tree, tmp_path: Path) -> None:
    tree.pf("eth0", "0000:01:00.0")
    (pf,), incomplete = read(tree, tmp_path / "nothing")
    assert (pf["name"], incomplete) == ("eth0", [])


def test_a_name_that_was_given_is_not_waited_for(tree: Tree, udev: Path) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    (pf,), incomplete = read(tree, udev)
    assert (pf["name"], pf["vfs"][0]["name"], incomplete) == ("enp1s0", "enp1s0v0", [])
