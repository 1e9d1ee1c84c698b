# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_diff import as_diff
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_plan import PfPlan
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_drivers import VfDrivers
from ansible_collections.vfpool.sriov.plugins.modules.sriov_pf import bring_about
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel

GUEST = {"kind": "libvirt_port", "name": "web1", "uuid": "1", "network": "fast", "active": True}
ASSIGNED = {"kind": "libvirt_domain", "name": "db1", "uuid": "2", "network": None, "active": True}
NAMESPACE = {"kind": "netns", "name": "blue", "uuid": None, "network": None, "active": True}


@pytest.fixture
def kernel(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> RecordedKernel:
    return RecordedKernel(tree, monkeypatch, vfs=3)


def plan(kernel: RecordedKernel, pf: dict[str, Any] | None = None, **wish: Any) -> PfPlan:
    nothing = dict.fromkeys(("num_vfs", "drivers_autoprobe", "link", "mtu", "eswitch_mode", "vfs"))
    pf = pf or kernel.read()
    wish = {**nothing, "pf": "enp1s0", "on_in_use": "fail", "persist": False, "timeout": 0, **wish}
    drivers = VfDrivers(pf, kernel.run, 0, kernel.sysfs)
    of_kernel = PfKernel(pf, kernel.run, 0, kernel.sysfs)
    return PfPlan(pf, wish, of_kernel, drivers, lambda: (kernel.read(), []), root=f"{kernel.tree.root.parent}/")


def refusal(kernel: RecordedKernel, pf: dict[str, Any] | None = None, **wish: Any) -> str:
    with pytest.raises(SriovError) as caught:
        plan(kernel, pf, **wish)
    assert kernel.log == []
    return str(caught.value)


def failure(kernel: RecordedKernel, **wish: Any) -> str:
    with pytest.raises(SriovError) as caught:
        plan(kernel, **wish).plan.apply()
    return str(caught.value)


def test_a_new_number_of_vfs_passes_through_zero(kernel: RecordedKernel) -> None:
    wish = plan(kernel, num_vfs="5")
    assert wish.plan.actions == ["destroy VF 0-2 of enp1s0 (0000:01:00.0)", "make 5 VFs on enp1s0 (0000:01:00.0)"]
    assert kernel.log == []
    wish.plan.apply()
    assert kernel.log == ["sriov_numvfs=0", "sriov_numvfs=5"]
    assert [vf["name"] for vf in kernel.read()["vfs"]] == [f"enp1s0v{index}" for index in range(5)]


def test_the_first_vfs_of_a_pf_need_no_zero_and_the_last_leave_none(kernel: RecordedKernel) -> None:
    plan(kernel, num_vfs="0").plan.apply()
    plan(kernel, num_vfs="2").plan.apply()
    assert kernel.log == ["sriov_numvfs=0", "sriov_numvfs=2"]


def test_max_means_as_many_as_the_card_has(kernel: RecordedKernel) -> None:
    assert plan(kernel, num_vfs="max").after["num_vfs"] == 8


def test_what_is_already_so_is_no_change(kernel: RecordedKernel) -> None:
    wish = plan(kernel, num_vfs="3", link="up", mtu=1500, drivers_autoprobe=True)
    assert (wish.plan.changed, wish.plan.actions) == (False, [])
    assert wish.before == wish.after


def test_the_steps_come_in_the_order_that_the_kernel_needs(kernel: RecordedKernel) -> None:
    plan(kernel, num_vfs="4", link="down", mtu=9000, drivers_autoprobe=False).plan.apply()
    assert kernel.log == ["sriov_drivers_autoprobe=0", "sriov_numvfs=0", "ip link set dev enp1s0 mtu 9000", "sriov_numvfs=4", "ip link set dev enp1s0 down"]


def test_the_diff_shows_what_is_declared_and_nothing_else(kernel: RecordedKernel) -> None:
    wish = plan(kernel, mtu=9000, link="up", vfs=[{"index": "1", "mac": "52:54:00:00:01:01"}])
    diff = as_diff("enp1s0", wish.before, wish.after)
    assert diff["before"] == "mtu: 1500\nlink: up\nvfs:\n  1: {mac: null}\n"
    assert diff["after"] == 'mtu: 9000\nlink: up\nvfs:\n  1: {mac: "52:54:00:00:01:01"}\n'


@pytest.mark.parametrize(
    ("num_vfs", "sentence"),
    [
        ("9", "num_vfs 9 is more than enp1s0 (0000:01:00.0) has: write 8 or less, or max."),
        ("-1", "num_vfs '-1' is no number of VFs: write 0 to 8, or max."),
        ("many", "num_vfs 'many' is no number of VFs: write 0 to 8, or max."),
        ("1.5", "num_vfs '1.5' is no number of VFs: write 0 to 8, or max."),
    ],
)
def test_a_number_that_the_card_cannot_have_is_refused_before_anything_is_written(kernel: RecordedKernel, num_vfs: str, sentence: str) -> None:
    assert refusal(kernel, num_vfs=num_vfs) == sentence


def test_a_card_whose_firmware_gives_no_vfs_says_what_to_switch_on(kernel: RecordedKernel) -> None:
    pf = {**kernel.read(), "total_vfs": 0}
    assert refusal(kernel, pf, num_vfs="4") == (
        "num_vfs 4 is more than enp1s0 (0000:01:00.0) has, which is none: switch SR-IOV on in the BIOS, or in the card's own firmware."
    )


@pytest.mark.parametrize("mtu", [67, 9217, -1])
def test_an_mtu_that_the_card_cannot_have_is_refused_before_anything_is_written(kernel: RecordedKernel, mtu: int) -> None:
    assert refusal(kernel, num_vfs="4", mtu=mtu) == f"mtu {mtu} is not one that enp1s0 (0000:01:00.0) can have: write 68 to 9216."


def test_an_mtu_is_not_measured_by_limits_that_the_driver_does_not_name(kernel: RecordedKernel) -> None:
    kernel.link.update(max_mtu=0)
    assert plan(kernel, mtu=65000).after["mtu"] == 65000
    assert refusal(kernel, mtu=67) == "mtu 67 is not one that enp1s0 (0000:01:00.0) can have: write 68 or more."


def test_a_driver_that_the_host_does_not_have_is_refused_before_anything_is_written(kernel: RecordedKernel) -> None:
    assert refusal(kernel, vfs=[{"index": "0", "driver": "nosuch"}]) == (
        "No driver of this host is 'nosuch': write vfio-pci, none, default for the card's own, or install its module."
    )


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
def test_what_no_vf_takes_is_refused_before_vfs_are_made_anew(kernel: RecordedKernel, vfs: list[dict[str, Any]], words: str) -> None:
    assert words in refusal(kernel, num_vfs="4", vfs=vfs)


def test_a_pf_that_something_else_declares_is_refused_before_anything_is_written(kernel: RecordedKernel) -> None:
    profile = kernel.tree.root.parent / "etc/NetworkManager/system-connections/pf.nmconnection"
    profile.parent.mkdir(parents=True)
    profile.write_text("[connection]\ninterface-name=enp1s0\n[sriov]\ntotal-vfs=2\n", encoding="utf-8")
    assert f"are declared in {profile} (NetworkManager) too" in refusal(kernel, num_vfs="4", persist=True)


def test_a_time_to_wait_is_not_negative(kernel: RecordedKernel) -> None:
    with pytest.raises(SriovError, match=r"^timeout -1 is no time to wait: write seconds, 0 or more\.$"):
        foretell(kernel, timeout=-1)


def test_each_holder_of_a_vf_is_named_before_anything_is_written(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][0]["used_by"], pf["vfs"][2]["used_by"] = [GUEST], [NAMESPACE]
    assert refusal(kernel, pf, num_vfs="4") == (
        "To change the number of VFs from 3 to 4 takes VF 0-2 of enp1s0 (0000:01:00.0) away, but VF 0 is held by guest web1 (network fast), "
        "VF 2 is held by network namespace blue: free them first, or say on_in_use: force."
    )


def test_a_vf_whose_use_is_not_known_counts_as_held(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][1]["used_by"] = None
    assert "whether VF 1 is in use is not known" in refusal(kernel, pf, num_vfs="0")


def test_force_goes_on_and_reports_from_whom_vfs_are_taken(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][0]["used_by"], pf["vfs"][1]["used_by"] = [GUEST], None
    assert plan(kernel, pf, num_vfs="4", on_in_use="force").affected == [{"vf": 0, **GUEST}]


def test_not_even_force_takes_a_vf_that_is_open_by_vfio(kernel: RecordedKernel) -> None:
    kernel.pf.vf(1).bound_to("vfio-pci")
    pf = kernel.read()
    pf["vfs"][1]["used_by"] = [ASSIGNED]
    assert refusal(kernel, pf, num_vfs="4", on_in_use="force") == (
        "VF 1 of enp1s0 (0000:01:00.0) is open in guest db1, and the kernel takes a VF from nobody who has it open by VFIO: stop or detach it there first."
    )


def test_holders_are_left_in_peace_when_the_number_stays(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][0]["used_by"] = [GUEST]
    assert plan(kernel, pf, num_vfs="3", link="down").affected == []


def test_a_guest_that_starts_after_the_plan_was_made_keeps_its_vf(kernel: RecordedKernel) -> None:
    wish = plan(kernel, num_vfs="4", drivers_autoprobe=False)
    kernel.used_by[1] = [GUEST]
    with pytest.raises(SriovError) as caught:
        wish.plan.apply()
    assert str(caught.value) == (
        "To change the number of VFs from 3 to 4 takes VF 0-2 of enp1s0 (0000:01:00.0) away, but VF 1 is held by guest web1 (network fast): "
        "free them first, or say on_in_use: force. Undone: switch drivers_autoprobe of enp1s0 (0000:01:00.0) off."
    )
    assert caught.value.result == {"affected": [{"vf": 1, **GUEST}]}
    assert kernel.log == ["sriov_drivers_autoprobe=0", "sriov_drivers_autoprobe=1"]


def test_a_guest_that_starts_after_the_plan_was_made_keeps_its_driver(kernel: RecordedKernel) -> None:
    wish = plan(kernel, vfs=[{"index": "0-1", "driver": "none"}])
    kernel.used_by[1] = [GUEST]
    with pytest.raises(SriovError, match="To change their drivers or vectors takes VF 0-1 of .* away, but VF 1 is held by guest web1"):
        wish.plan.apply()
    assert not (kernel.pf.vf(0).folder / "driver_override").exists()


def test_force_takes_a_vf_from_a_guest_that_starts_late_and_says_so_unless_it_is_open_by_vfio(kernel: RecordedKernel) -> None:
    wish = plan(kernel, num_vfs="0", on_in_use="force")
    kernel.used_by[1] = [GUEST]
    wish.plan.apply()
    assert (kernel.read()["num_vfs"], wish.affected) == (0, [{"vf": 1, **GUEST}])
    plan(kernel, num_vfs="3").plan.apply()
    wish = plan(kernel, num_vfs="0", on_in_use="force")
    kernel.pf.vf(1).bound_to("vfio-pci")
    with pytest.raises(SriovError, match="VF 1 of .* is open in guest web1"):
        wish.plan.apply()
    assert kernel.read()["num_vfs"] == 3


def test_the_undo_leaves_new_vfs_to_a_guest_that_has_one_already(kernel: RecordedKernel) -> None:
    kernel.refusals["ip link set dev enp1s0 down"] = "RTNETLINK answers: Device or resource busy\n"
    plan(kernel, num_vfs="0").plan.apply()
    wish = plan(kernel, num_vfs="4", link="down")
    kernel.used_by[3] = [GUEST]
    with pytest.raises(SriovError, match=r"Could not be undone: make 4 VFs on .*VF 3 is held by guest web1"):
        wish.plan.apply()
    assert kernel.read()["num_vfs"] == 4


def test_a_guests_mac_and_vlan_stay_while_it_has_the_vf(kernel: RecordedKernel) -> None:
    kernel.link["vfinfo_list"] = [{"vf": 0, "address": "52:54:00:00:00:99", "vlan_list": [{"vlan": 7}], "trust": False, "spoofchk": True}]
    kernel.used_by[0] = [GUEST]
    vfs = [{"index": "0", "mac": "52:54:00:00:00:01", "vlan": 7, "qos": 2, "trust": True}, {"index": "1", "mac": "52:54:00:00:00:12"}]
    wish = plan(kernel, vfs=vfs)
    assert wish.plan.actions == ["set trust on of VF 0; mac 52:54:00:00:00:12 of VF 1 of enp1s0 (0000:01:00.0)"]
    (warning,) = wish.warnings
    assert warning == (
        "VF 0 of enp1s0 (0000:01:00.0) goes on with mac 52:54:00:00:00:99, qos 0 for guest web1 (network fast): "
        "run this again when that has ended, to get mac 52:54:00:00:00:01, qos 2."
    )
    assert wish.after["vfs"][0] == {"vlan": 7, "trust": True}


def test_force_sets_a_guests_mac_and_one_that_does_not_run_keeps_none(kernel: RecordedKernel) -> None:
    kernel.link["vfinfo_list"] = [{"vf": 0, "address": "52:54:00:00:00:99", "vlan_list": [{"vlan": 7}]}]
    kernel.used_by[0] = [GUEST]
    vfs = [{"index": "0", "mac": "52:54:00:00:00:01"}]
    assert plan(kernel, vfs=vfs, on_in_use="force").plan.actions == ["set mac 52:54:00:00:00:01 of VF 0 of enp1s0 (0000:01:00.0)"]
    kernel.used_by[0] = [{**ASSIGNED, "active": False}, NAMESPACE]
    assert plan(kernel, vfs=vfs).plan.actions == ["set mac 52:54:00:00:00:01 of VF 0 of enp1s0 (0000:01:00.0)"]


@pytest.fixture(params=[False, True], ids=["no libvirt", "libvirt that does not answer"])
def installed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether libvirt is installed on this host, where no daemon of its listens."""
    monkeypatch.setattr(_guests, "_SOCKETS", str(tmp_path))
    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    monkeypatch.setattr(_guests, "_DAEMONS", (str(tmp_path),) if request.param else ())
    return request.param


def foretell(kernel: RecordedKernel, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """The module's result in check mode, and its warnings."""
    nothing = dict.fromkeys(("num_vfs", "drivers_autoprobe", "link", "mtu", "eswitch_mode", "vfs"))
    warnings: list[str] = []
    module = SimpleNamespace(
        params={**nothing, "pf": "enp1s0", "on_in_use": "fail", "persist": False, "timeout": 0, **options},
        check_mode=True,
        run_command=lambda command, handle_exceptions: kernel.run(command),
        warn=warnings.append,
    )
    return bring_about(module, kernel.sysfs), warnings


def test_without_libvirt_no_guest_of_its_holds_a_vf(kernel: RecordedKernel, installed: bool) -> None:
    options = {"vfs": [{"index": "0", "driver": "none"}]}
    if installed:
        with pytest.raises(SriovError, match="whether VF 0 is in use is not known"):
            foretell(kernel, **options)
    else:
        assert foretell(kernel, **options)[0]["actions"] == ["take VF 0 of enp1s0 (0000:01:00.0) from its driver"]


def test_networks_that_missing_libraries_leave_unknown_are_missed_aloud(kernel: RecordedKernel, installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("libvirt", "lxml"):
        monkeypatch.setitem(sys.modules, library, None)
    result, warnings = foretell(kernel, num_vfs="2", on_in_use="force")
    assert result["affected"] == []
    sentence = (
        "Which networks hand out the VFs of enp1s0 (0000:01:00.0) is not known, so affected lacks them: "
        "Python libraries are missing (install python3-libvirt and python3-lxml)."
    )
    assert warnings == ([sentence] if installed else [])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOMEM, "(Cannot allocate memory): the firmware left no room for them"),
        (errno.ERANGE, "(Numerical result out of range): the card or its firmware has fewer"),
        (errno.ENOENT, "(No such file or directory): the PF has no driver, or one that makes no VFs"),
        (errno.ENOSPC, "(No space left on device): see journalctl -k"),
    ],
)
def test_a_number_that_the_kernel_refuses_is_explained_and_the_old_vfs_come_back(kernel: RecordedKernel, code: int, words: str) -> None:
    kernel.refusals["sriov_numvfs=8"] = code
    message = failure(kernel, num_vfs="max", mtu=9000)
    assert message.startswith(f"enp1s0 (0000:01:00.0) refuses to make 8 VFs {words}")
    assert "Undone: make 8 VFs" in message
    assert (kernel.read()["num_vfs"], kernel.read()["mtu"]) == (3, 1500)


def test_fewer_vfs_than_asked_for_are_noticed_and_undone(kernel: RecordedKernel) -> None:
    kernel.makes = 6
    assert failure(kernel, num_vfs="8").startswith("enp1s0 (0000:01:00.0) made 6 of 8 VFs: ask for 6, or give the card more room in the BIOS")
    assert kernel.read()["num_vfs"] == 3


def test_a_vf_whose_interface_never_comes_is_named_and_undone(kernel: RecordedKernel) -> None:
    kernel.silent = {4}
    message = failure(kernel, num_vfs="5")
    assert message.startswith(
        "After 0 s these VFs of 0000:01:00.0 are not ready: VF 4 (0000:01:11.0, driver igbvf, interface enp1s0v4, udev's last word: none)"
    )
    assert kernel.read()["num_vfs"] == 3


def make_as_somebody_else(kernel: RecordedKernel, count: int) -> None:
    kernel.pf.resize(count)


@pytest.mark.parametrize("count", [4, 2])
def test_vfs_that_somebody_else_made_since_the_plan_are_neither_taken_over_nor_destroyed(kernel: RecordedKernel, count: int) -> None:
    plan(kernel, num_vfs="0").plan.apply()
    wish = plan(kernel, num_vfs="4")
    make_as_somebody_else(kernel, count)
    kernel.log.clear()
    with pytest.raises(SriovError, match=rf"has {count} VFs that somebody else made during this run, and keeps them: run it again\."):
        wish.plan.apply()
    assert (kernel.log, kernel.read()["num_vfs"]) == ([], count)


def test_vfs_that_somebody_else_made_at_the_moment_of_the_write_survive_the_undo(kernel: RecordedKernel) -> None:
    kernel.refusals["sriov_numvfs=5"] = errno.EBUSY
    kernel.before_write["sriov_numvfs=5"] = lambda: make_as_somebody_else(kernel, 2)
    message = failure(kernel, num_vfs="5")
    assert message.startswith(
        "enp1s0 (0000:01:00.0) has 2 VFs that somebody else made during this run, and keeps them: run it again. Could not be undone: make 5"
    )
    assert (kernel.log, kernel.read()["num_vfs"]) == (["sriov_numvfs=0", "sriov_numvfs=5"], 2)


def test_a_refused_link_setting_puts_everything_back(kernel: RecordedKernel) -> None:
    kernel.refusals["ip link set dev enp1s0 down"] = "RTNETLINK answers: Device or resource busy\n"
    message = failure(kernel, num_vfs="4", drivers_autoprobe=False, link="down")
    assert message.startswith("enp1s0 (0000:01:00.0) refuses link down: Device or resource busy. Undone: ")
    assert (kernel.read()["num_vfs"], kernel.read()["drivers_autoprobe"]) == (3, True)


def test_a_pf_without_an_interface_has_no_link_to_set(tree: Tree, kernel: RecordedKernel) -> None:
    pf = {**kernel.read(), "name": None, "pci_address": "0000:05:00.0"}
    tree.pf(None, "0000:05:00.0", vfs=1)
    assert refusal(kernel, pf, link="up", mtu=9000).startswith("0000:05:00.0 has no network interface, so link and mtu cannot be set")


@pytest.mark.parametrize("unread", ["num_vfs", "total_vfs"])
def test_a_pf_whose_number_of_vfs_cannot_be_read_is_left_alone(kernel: RecordedKernel, unread: str) -> None:
    assert "cannot be read" in refusal(kernel, {**kernel.read(), unread: None}, num_vfs="2")
