# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wish that cannot be fulfilled is refused in one sentence, before anything is written."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel
from ansible_collections.vfpool.sriov.tests.unit.wishes import foretell, plan, refusal


@pytest.mark.parametrize(
    ("num_vfs", "sentence"),
    [
        ("9", "num_vfs 9 is more than enp1s0 (0000:01:00.0) has: write 8 or less, or max."),
        ("-1", "num_vfs '-1' is no number of VFs: write 0 to 8, or max."),
        ("many", "num_vfs 'many' is no number of VFs: write 0 to 8, or max."),
        ("1.5", "num_vfs '1.5' is no number of VFs: write 0 to 8, or max."),
        ("03", "num_vfs '03' is no number of VFs: write 0 to 8, or max."),
        ("\u0663", "num_vfs '\u0663' is no number of VFs: write 0 to 8, or max."),
        ("9" * 5000, f"num_vfs '{'9' * 5000}' is no number of VFs: write 0 to 8, or max."),
    ],
)
def test_a_number_that_the_card_cannot_have_is_refused_before_anything_is_written(kernel: RecordedKernel, num_vfs: str, sentence: str) -> None:
    assert refusal(kernel, num_vfs=num_vfs) == sentence


def test_a_card_whose_firmware_gives_no_vfs_says_what_to_switch_on(kernel: RecordedKernel) -> None:
    pf = {**kernel.read(), "total_vfs": 0}
    assert refusal(kernel, pf, num_vfs="4") == (
        "num_vfs 4 is more than enp1s0 (0000:01:00.0) has, which is none: switch SR-IOV on in the BIOS, or in the card's own firmware."
    )


def test_a_card_without_a_driver_is_refused_new_vfs_before_anything_is_written(kernel: RecordedKernel) -> None:
    pf = {**kernel.read(), "name": None, "driver": None, "num_vfs": 0, "vfs": []}
    assert refusal(kernel, pf, num_vfs="4") == "0000:01:00.0 has no driver, and the kernel makes no VFs without one: load the card's own driver."
    assert plan(kernel, pf, num_vfs="0").plan.actions == []


@pytest.mark.parametrize("mtu", [67, 9217, -1])
def test_an_mtu_that_the_card_cannot_have_is_refused_before_anything_is_written(kernel: RecordedKernel, mtu: int) -> None:
    assert refusal(kernel, num_vfs="4", mtu=mtu) == f"mtu {mtu} is not one that enp1s0 (0000:01:00.0) can have: write 68 to 9216."


def test_an_mtu_is_not_measured_by_limits_that_the_driver_does_not_name(kernel: RecordedKernel) -> None:
    kernel.link.update(max_mtu=0)
    assert plan(kernel, mtu=65000).after["mtu"] == 65000
    assert refusal(kernel, mtu=67) == "mtu 67 is not one that enp1s0 (0000:01:00.0) can have: write 68 or more."


@pytest.mark.parametrize("driver", ["nosuch", "", " ", ".", "../devices", "igbvf/module", "--version", "igbvf\n", "vfio_pci", "pci_stub"])
def test_a_driver_that_the_host_does_not_have_is_refused_before_anything_is_written(kernel: RecordedKernel, driver: str) -> None:
    kernel.drivers = {"--version", "igbvf\n", "vfio_pci", "pci_stub"}  # what modprobe would take
    assert refusal(kernel, vfs=[{"index": "0", "driver": driver}]) == (
        f"No driver of this host is {driver!r}: write vfio-pci, none, default for the card's own, or install its module."
    )


def test_a_host_without_modprobe_is_told_what_to_install(kernel: RecordedKernel) -> None:
    kernel.drivers = None
    assert refusal(kernel, vfs=[{"index": "0", "driver": "vfio-pci"}]) == "The command modprobe does not run (No such file or directory): install kmod."


def test_vfio_without_an_iommu_is_refused_with_the_way_to_switch_it_on(kernel: RecordedKernel) -> None:
    kernel.pf.absent("iommu_group")
    assert refusal(kernel, num_vfs="2", vfs=[{"index": "0", "driver": "vfio-pci"}]) == (
        "The driver vfio-pci needs an IOMMU, and enp1s0 (0000:01:00.0) has none: switch on VT-d or AMD-Vi in the firmware, "
        "on Intel add intel_iommu=on to the kernel command line, and reboot."
    )


def test_vectors_that_the_driver_does_not_share_out_are_refused_before_anything_is_written(kernel: RecordedKernel) -> None:
    assert refusal(kernel, vfs=[{"index": "0", "msix_count": 4}]).startswith("The driver igb cannot share out MSI-X vectors among the VFs of enp1s0")


@pytest.mark.parametrize(
    ("vfs", "words"),
    [
        ([{"index": "0-4", "vlan": 7}], "vfs names VF 4"),
        ([{"index": "-1", "vlan": 7}], "is no range of VF indices"),
        ([{"index": "0-2"}, {"index": "2"}], "vfs names VF 2 of enp1s0 (0000:01:00.0) in two entries"),
        ([{"index": "0", "mac": "01:00:5e:00:00:01"}], "is a multicast address"),
        ([{"index": "0-1", "mac": "52:54:00:00:00:77"}], "belongs to VF 0 too"),
        ([{"index": "0", "vlan": 4095}], "vlan 4095 of VF 0 of enp1s0 (0000:01:00.0) is out of range"),
        ([{"index": "0", "qos": 8}], "qos 8 of VF 0 of enp1s0 (0000:01:00.0) is out of range"),
        ([{"index": "0", "min_tx_rate": 2, "max_tx_rate": 1}], "min_tx_rate 2 of VF 0 of enp1s0 (0000:01:00.0) is above its max_tx_rate 1"),
    ],
)
def test_what_no_vf_takes_is_refused_before_vfs_are_made_anew(kernel: RecordedKernel, vfs: list[dict], words: str) -> None:
    assert words in refusal(kernel, num_vfs="4", vfs=vfs)


def test_a_pf_that_something_else_declares_is_refused_before_anything_is_written(kernel: RecordedKernel) -> None:
    profile = kernel.tree.root.parent / "etc/NetworkManager/system-connections/pf.nmconnection"
    profile.parent.mkdir(parents=True)
    profile.write_text("[connection]\ninterface-name=enp1s0\n[sriov]\ntotal-vfs=2\n", encoding="utf-8")
    assert f"are declared in {profile} (NetworkManager) too" in refusal(kernel, num_vfs="4", persist=True)


def test_a_card_without_a_switch_has_no_switchdev_mode(kernel: RecordedKernel) -> None:
    assert refusal(kernel, eswitch_mode="switchdev") == (
        "enp1s0 (0000:01:00.0) has no switch whose mode could be chosen: leave eswitch_mode out, or write legacy."
    )


@pytest.mark.parametrize("timeout", [-1, 2147484])
def test_a_time_to_wait_is_neither_negative_nor_more_than_the_kernel_can_wait(kernel: RecordedKernel, timeout: int) -> None:
    with pytest.raises(SriovError, match=rf"^timeout {timeout} is no time to wait: write seconds, 0 to 86400\.$"):
        foretell(kernel, timeout=timeout)


def test_a_pf_without_an_interface_has_no_link_to_set(tree: Tree, kernel: RecordedKernel) -> None:
    pf = {**kernel.read(), "name": None, "pci_address": "0000:05:00.0"}
    tree.pf(None, "0000:05:00.0", vfs=1)
    assert refusal(kernel, pf, link="up", mtu=9000).startswith("0000:05:00.0 has no network interface, so link and mtu cannot be set")


@pytest.mark.parametrize("unread", ["num_vfs", "total_vfs"])
def test_a_pf_whose_number_of_vfs_cannot_be_read_is_left_alone(kernel: RecordedKernel, unread: str) -> None:
    assert "cannot be read" in refusal(kernel, {**kernel.read(), unread: None}, num_vfs="2")
