# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_diff import as_diff
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel
from ansible_collections.vfpool.sriov.tests.unit.wishes import failure, plan, refusal


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


def test_the_mode_of_the_switch_changes_while_there_are_no_vfs(kernel: RecordedKernel) -> None:
    kernel.eswitch_mode = "legacy"
    plan(kernel, eswitch_mode="switchdev", drivers_autoprobe=False).plan.apply()
    set_mode = "devlink dev eswitch set pci/0000:01:00.0 mode switchdev"
    assert kernel.log == ["sriov_drivers_autoprobe=0", "sriov_numvfs=0", set_mode, "sriov_numvfs=3"]
    assert not plan(kernel, eswitch_mode="switchdev").plan.changed


def test_a_mode_that_the_driver_refuses_brings_the_old_vfs_back(kernel: RecordedKernel) -> None:
    kernel.eswitch_mode = "legacy"
    kernel.refusals["devlink dev eswitch set pci/0000:01:00.0 mode switchdev"] = "kernel answers: Operation not supported\n"
    message = failure(kernel, num_vfs="2", eswitch_mode="switchdev")
    assert message.startswith("enp1s0 (0000:01:00.0) refuses eswitch_mode switchdev: kernel answers: Operation not supported. Undone: ")
    assert (kernel.read()["num_vfs"], kernel.eswitch_mode) == (3, "legacy")


def test_a_card_without_a_switch_is_in_legacy_mode_already(kernel: RecordedKernel) -> None:
    assert not plan(kernel, eswitch_mode="legacy").plan.changed


def test_the_diff_shows_what_is_declared_and_nothing_else(kernel: RecordedKernel) -> None:
    wish = plan(kernel, mtu=9000, link="up", vfs=[{"index": "1", "mac": "52:54:00:00:01:01"}])
    diff = as_diff("enp1s0", wish.before, wish.after)
    assert diff["before"] == "mtu: 1500\nlink: up\nvfs:\n  1: {mac: null}\n"
    assert diff["after"] == 'mtu: 9000\nlink: up\nvfs:\n  1: {mac: "52:54:00:00:01:01"}\n'


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


@pytest.mark.parametrize("before", [1, 0])
def test_vfs_that_an_undo_brings_back_have_their_drivers_although_new_ones_get_none(kernel: RecordedKernel, before: int) -> None:
    kernel.pf.write(sriov_drivers_autoprobe=before)
    kernel.pf.vf(1).nameless().bound_to(None)
    kernel.refusals["ip link set dev enp1s0 down"] = "RTNETLINK answers: Device or resource busy\n"
    failure(kernel, num_vfs="4", drivers_autoprobe=False, link="down")
    assert [vf["driver"] for vf in kernel.read()["vfs"]] == ["igbvf", None, "igbvf"]


def test_new_vfs_get_the_drivers_that_the_old_ones_were_given_and_none_where_none_was_wanted(kernel: RecordedKernel) -> None:
    kernel.pf.vf(0).bound_to(None).write(driver_override="none")
    kernel.pf.vf(1).bound_to("vfio-pci")
    kernel.pf.vf(2).bound_to(None).write(driver_override="(null)")  # for want of one
    actions = plan(kernel, num_vfs="4").plan.actions
    assert actions[2:] == ["take VF 0 of enp1s0 (0000:01:00.0) from its driver", "bind VF 1 of enp1s0 (0000:01:00.0) to vfio-pci"]


@pytest.mark.parametrize("said", [{"drivers_autoprobe": False}, {}])
def test_a_new_vf_gets_the_default_driver_that_is_declared_although_the_kernel_gives_it_none(kernel: RecordedKernel, said: dict) -> None:
    kernel.pf.write(sriov_drivers_autoprobe=int("drivers_autoprobe" in said))
    kernel.pf.vf(0).nameless().bound_to(None)
    wish = plan(kernel, num_vfs="4", vfs=[{"index": "1-2", "driver": "default"}], **said)
    assert wish.plan.actions[-1] == "bind VF 1-2 of enp1s0 (0000:01:00.0) to default"
    wish.plan.apply()
    assert [vf["driver"] for vf in kernel.read()["vfs"]] == [None, "igbvf", "igbvf", None]
    assert kernel.read()["drivers_autoprobe"] is False
    assert plan(kernel, num_vfs="4", vfs=[{"index": "1-2", "driver": "default"}], **said).plan.actions == []


def test_a_new_vf_keeps_the_default_driver_that_the_old_one_had_although_the_kernel_gives_it_none(kernel: RecordedKernel) -> None:
    kernel.pf.write(sriov_drivers_autoprobe=0)
    kernel.pf.vf(1).nameless().bound_to(None)
    assert len(plan(kernel, num_vfs="4", drivers_autoprobe=False).plan.actions) == 2  # which says that it is to have none
    plan(kernel, num_vfs="4").plan.apply()
    assert [vf["driver"] for vf in kernel.read()["vfs"]] == ["igbvf", None, "igbvf", None]


@pytest.mark.parametrize("declared", [{"driver": "default"}, {"trust": True}, {"msix_count": 4}])
def test_what_is_declared_for_a_vf_that_sysfs_does_not_list_is_refused(kernel: RecordedKernel, declared: dict) -> None:
    kernel.pf.write(sriov_vf_total_msix=64)
    kernel.log.clear()
    os.unlink(f"{kernel.pf.path}/virtfn1")
    said = refusal(kernel, vfs=[{"index": "0-2", **declared}])
    assert said.startswith("vfs names VF 1 of enp1s0 (0000:01:00.0), which sysfs does not list: run this again when all VFs are made, or make one")
    assert plan(kernel, num_vfs="4", on_in_use="force", vfs=[{"index": "0-2", **declared}]).plan.changed


def test_settings_are_kept_by_the_index_of_a_vf_also_where_one_before_it_is_missing(kernel: RecordedKernel) -> None:
    kernel.link["vfinfo_list"] = [{"vf": index, "address": "00:00:00:00:00:00", "trust": True} for index in range(3)]
    os.unlink(f"{kernel.pf.path}/virtfn1")
    assert plan(kernel, num_vfs="2", on_in_use="force").plan.actions[-1] == "set trust on of VF 0 of enp1s0 (0000:01:00.0)"


@pytest.mark.parametrize(("now", "said"), [(0, {"drivers_autoprobe": True}), (1, {})])
def test_a_new_vf_needs_no_step_for_the_default_driver_that_the_kernel_gives_it(kernel: RecordedKernel, now: int, said: dict) -> None:
    kernel.pf.write(sriov_drivers_autoprobe=now)
    assert plan(kernel, num_vfs="4", vfs=[{"index": "1", "driver": "default"}], **said).plan.actions[-1] == "make 4 VFs on enp1s0 (0000:01:00.0)"
