# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a VF keeps it, is named, and loses it by force alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel
from ansible_collections.vfpool.sriov.tests.unit.wishes import foretell, plan, refusal

GUEST = {"kind": "libvirt_port", "name": "web1", "uuid": "1", "network": "fast"}
ASSIGNED = {"kind": "libvirt_domain", "name": "db1", "uuid": "2", "network": None}
NAMESPACE = {"kind": "netns", "name": "blue", "uuid": None, "network": None}


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


def test_vfs_that_sysfs_does_not_list_are_not_destroyed_unasked(kernel: RecordedKernel) -> None:
    before = kernel.read()
    os.unlink(f"{kernel.pf.path}/virtfn2")
    said = "To change the number of VFs from 3 to 0 destroys all VFs of enp1s0 (0000:01:00.0), 3 by its count, but sysfs lists 2, so who holds the others"
    assert refusal(kernel, num_vfs="0").startswith(said)
    late = plan(kernel, before, num_vfs="0").plan
    with pytest.raises(SriovError, match="destroys all VFs of enp1s0 .* but sysfs lists 2"):
        late.apply()
    assert plan(kernel, num_vfs="0", on_in_use="force").plan.changed


def test_force_goes_on_and_reports_from_whom_vfs_are_taken(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][0]["used_by"], pf["vfs"][1]["used_by"] = [GUEST], None
    assert plan(kernel, pf, num_vfs="4", on_in_use="force").affected == [{"vf": 0, **GUEST}]


def test_not_even_force_takes_a_vf_that_is_open_by_vfio(kernel: RecordedKernel) -> None:
    kernel.pf.vf(1).bound_to("vfio-pci")
    pf = kernel.read()
    pf["vfs"][1]["used_by"] = [ASSIGNED]
    assert refusal(kernel, pf, num_vfs="4").endswith("VF 1 is held by guest db1: free them first.")
    assert refusal(kernel, pf, num_vfs="4", on_in_use="force") == (
        "VF 1 of enp1s0 (0000:01:00.0) is open in guest db1, and the kernel takes a VF from nobody who has it open by VFIO: stop or detach it there first."
    )


@pytest.mark.parametrize("change", [{"msix_count": 4}, {"driver": "none"}])
def test_a_vf_that_found_a_holder_since_the_plan_keeps_its_vectors_and_its_driver(kernel: RecordedKernel, change: dict) -> None:
    kernel.pf.write(sriov_vf_total_msix=64)
    wish = plan(kernel, vfs=[{"index": "0", **change}])
    assert wish.plan.changed
    kernel.used_by[0] = [GUEST]
    with pytest.raises(SriovError, match="VF 0 is held by guest web1"):
        wish.plan.apply()
    assert kernel.read()["vfs"][0]["driver"] == "igbvf"


def test_holders_are_left_in_peace_when_the_number_stays(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][0]["used_by"] = [GUEST]
    assert plan(kernel, pf, num_vfs="3", mtu=9000).affected == []


def test_the_link_is_not_switched_off_under_a_guest_that_runs(kernel: RecordedKernel) -> None:
    pf = kernel.read()
    pf["vfs"][1]["used_by"], pf["vfs"][2]["used_by"] = [GUEST], [{**ASSIGNED, "active": False}]
    assert refusal(kernel, pf, link="down") == (
        "With the link of enp1s0 (0000:01:00.0) down its VFs have no connection, but VF 1 is held by guest web1 (network fast): "
        "free them first, or say on_in_use: force."
    )
    pf["vfs"][0]["used_by"] = pf["vfs"][1]["used_by"] = None
    assert "whether VF 0-1 is in use is not known: free them first" in refusal(kernel, pf, link="down")
    assert plan(kernel, pf, link="down", on_in_use="force").plan.actions == ["set link of enp1s0 (0000:01:00.0) from up to down"]
    plan(kernel, link="down").plan.apply()
    assert not plan(kernel, pf, link="down").plan.changed


def test_the_link_stays_on_for_a_guest_that_starts_after_the_plan_was_made(kernel: RecordedKernel) -> None:
    wish = plan(kernel, link="down", drivers_autoprobe=False)
    kernel.used_by[1] = [GUEST]
    with pytest.raises(SriovError, match="VF 1 is held by guest web1 .* Undone: switch drivers_autoprobe of .* off"):
        wish.plan.apply()
    assert "ip link set dev enp1s0 down" not in kernel.log


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
    with pytest.raises(SriovError, match="To change drivers or vectors of VFs takes VF 0-1 of .* away, but VF 1 is held by guest web1"):
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


@pytest.mark.parametrize("number", ["3", "5"])
def test_a_guest_that_starts_after_the_plan_was_made_keeps_its_mac_and_vlan(kernel: RecordedKernel, number: str) -> None:
    """Libvirt hands a VF out as soon as its interface is there, which for the first of many is long before the last."""
    kernel.link["vfinfo_list"] = [{"vf": index, "address": "00:00:00:00:00:00", "trust": False} for index in range(5)]
    wish = plan(kernel, num_vfs=number, vfs=[{"index": "0", "vlan": 100, "trust": True}])
    kernel.before_write[f"sriov_numvfs={number}"] = lambda: kernel.used_by.update({0: [GUEST]})
    kernel.used_by[0] = [GUEST] if number == "3" else []
    with pytest.raises(SriovError, match=r"^The vlan of VF 0 of enp1s0 .* cannot be set, because guest web1 \(network fast\) got the VF in the meantime: run "):
        wish.plan.apply()
    assert not any(line.startswith("ip -batch") for line in kernel.log)
    assert kernel.read()["num_vfs"] == int(number)  # not even the undo takes it
    kernel.used_by[0] = []
    trusting = plan(kernel, num_vfs=number, vfs=[{"index": "0", "trust": True}])
    kernel.used_by[0] = [GUEST]
    trusting.plan.apply()
    assert any(line.startswith("ip -batch") for line in kernel.log)


def test_a_mac_stays_where_it_is_not_known_whether_a_guest_has_the_vf(kernel: RecordedKernel) -> None:
    kernel.link["vfinfo_list"] = [{"vf": 0, "address": "52:54:00:00:00:99", "trust": False}]
    pf = kernel.read()
    pf["vfs"][0]["used_by"] = None
    wish = plan(kernel, pf, vfs=[{"index": "0", "mac": "52:54:00:00:00:01", "trust": True}])
    assert wish.plan.actions == ["set trust on of VF 0 of enp1s0 (0000:01:00.0)"]
    (warning,) = wish.warnings
    assert warning == (
        "VF 0 of enp1s0 (0000:01:00.0) goes on with mac 52:54:00:00:00:99 because it is not known whether a guest has it: "
        "run this again when that is known, to get mac 52:54:00:00:00:01."
    )


def test_a_driver_that_libvirt_replaced_for_a_guest_waits_until_that_has_ended(kernel: RecordedKernel) -> None:
    """As with managed: a second run finds vfio-pci, and has nothing to do."""
    kernel.pf.vf(0).bound_to("vfio-pci")
    kernel.used_by[0] = [GUEST]
    wish = plan(kernel, vfs=[{"index": "0-1", "driver": "default"}])
    assert wish.plan.actions == []
    assert wish.warnings == [
        "VF 0 of enp1s0 (0000:01:00.0) goes on with driver vfio-pci for guest web1 (network fast): run this again when that has ended, to get driver default."
    ]
    kernel.used_by[0] = [{**GUEST, "kind": "vfio"}]
    assert "VF 0 is held by process web1" in refusal(kernel, vfs=[{"index": "0", "driver": "default"}])


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
    (tmp_path / "1").mkdir()
    monkeypatch.setattr(_guests, "_SOCKETS", str(tmp_path))
    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    monkeypatch.setattr(_guests, "_DAEMONS", (str(tmp_path),) if request.param else ())
    return request.param


def test_without_libvirt_no_guest_of_its_holds_a_vf(kernel: RecordedKernel, installed: bool) -> None:
    options = {"vfs": [{"index": "0", "driver": "none"}]}
    if installed:
        with pytest.raises(SriovError, match="whether VF 0 is in use is not known"):
            foretell(kernel, **options)
    else:
        assert foretell(kernel, **options)[0]["actions"] == ["take VF 0 of enp1s0 (0000:01:00.0) from its driver"]


@pytest.mark.parametrize("installed", [False], indirect=True)
def test_a_vf_that_udev_renames_while_its_holders_are_looked_for_is_looked_at_again(
    kernel: RecordedKernel, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on a laboratory host: a run that was ended while it made VFs could not undo that, because ``ip names no interface eth2``."""
    tell, told = kernel.run, []

    def run(command: list[str]) -> tuple[int, str, str]:
        code, out, err = tell(command)
        told.extend([command] if "address" in command else [])
        # The second question is the plan's: the interface has not yet, or no more, the name that sysfs has for it.
        return code, out.replace("enp1s0v1", "eth2") if len(told) == 2 else out, err

    monkeypatch.setattr(kernel, "run", run)
    assert foretell(kernel, num_vfs="4")[0]["actions"] == ["destroy VF 0-2 of enp1s0 (0000:01:00.0)", "make 4 VFs on enp1s0 (0000:01:00.0)"]


@pytest.mark.parametrize("installed", [False], indirect=True)
def test_a_vf_that_udev_is_about_to_rename_is_waited_for(
    kernel: RecordedKernel, installed: bool, udev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on a laboratory host: a run that was ended while it made VFs could not undo that either."""
    kernel.pf.vf(1).renamed("eth0")
    kernel.sysfs = Sysfs(str(kernel.tree.root), str(udev))
    number = (kernel.tree.root / "class/net/eth0/ifindex").read_text().strip()
    tell, told = kernel.run, []

    def run(command: list[str]) -> tuple[int, str, str]:
        told.extend([command] if "address" in command else [])
        if len(told) == 2:  # the plan's question: from then on udev is done
            (udev / f"data/n{number}").touch()
        return tell(command)

    monkeypatch.setattr(kernel, "run", run)
    assert foretell(kernel, num_vfs="4")[0]["actions"] == ["destroy VF 0-2 of enp1s0 (0000:01:00.0)", "make 4 VFs on enp1s0 (0000:01:00.0)"]
    assert len(told) == 3


def test_no_vfs_are_made_where_it_cannot_be_told_who_takes_them_before_they_have_their_drivers(kernel: RecordedKernel, installed: bool) -> None:
    """They could neither be bound nor, for the same reason, be destroyed again."""
    kernel.pf.resize(0)
    options: dict = {"num_vfs": "2", "vfs": [{"index": "0-1", "driver": "none"}]}
    if installed:
        with pytest.raises(SriovError, match=r"^Whether a guest takes new VFs of enp1s0 .* cannot be told \(libvirt is not running.*: put that right, or say "):
            foretell(kernel, **options)
    assert foretell(kernel, **options, on_in_use="force" if installed else "fail")[0]["changed"]
    assert foretell(kernel, num_vfs="2")[0]["changed"]
    kernel.pf.resize(1)
    assert foretell(kernel, **options, on_in_use="force" if installed else "fail")[0]["changed"]


@pytest.mark.parametrize("mode", ["legacy", "switchdev"])
def test_a_mode_of_the_switch_that_cannot_be_read_is_not_taken_for_any(kernel: RecordedKernel, installed: bool, mode: str) -> None:
    kernel.refusals["devlink -j dev eswitch show pci/0000:01:00.0"] = "kernel answers: Connection timed out"
    sentence = r"^The eswitch_mode of enp1s0 .* is not known \(kernel answers: Connection timed out\): put that right, or leave eswitch_mode out\.$"
    with pytest.raises(SriovError, match=sentence):
        foretell(kernel, eswitch_mode=mode)
    assert not foretell(kernel, num_vfs="3")[0]["changed"]


@pytest.mark.parametrize("library", ["libvirt", "lxml"])
def test_networks_that_a_missing_library_leaves_unknown_are_missed_aloud(
    kernel: RecordedKernel, installed: bool, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    result, warnings = foretell(kernel, num_vfs="2", on_in_use="force")
    assert result["affected"] == []
    sentence = (
        "Which networks hand out the VFs of enp1s0 (0000:01:00.0) is not known, so affected lacks them: "
        f"The Python library {library} is missing: install the package python3-{library} {'on that host' if library == 'libvirt' else 'where this runs'}."
    )
    assert warnings == ([sentence] if installed else [])


def test_settings_that_cannot_be_kept_because_they_are_not_known_are_lost_aloud(kernel: RecordedKernel, installed: bool) -> None:
    kernel.link["vfinfo_list"] = [{"vf": 0, "address": "52:54:00:00:00:99"}]
    _result, (warning, *_others) = foretell(kernel, num_vfs="2", on_in_use="force")
    assert warning.startswith("The settings of vfs[1-2] of enp1s0 (0000:01:00.0) are not known, so those that are not declared here are lost when")
    kernel.link["vfinfo_list"] = []  # of a driver that has no settings
    assert not any("settings" in warning for warning in foretell(kernel, num_vfs="2", on_in_use="force")[1])
    kernel.pf.elsewhere()
    _result, (warning, *_others) = foretell(kernel, pf="0000:01:00.0", num_vfs="2", on_in_use="force")
    assert warning.startswith("The settings of vfs[0-2] of 0000:01:00.0 are not known")


def test_a_pf_that_udev_is_yet_to_rename_is_not_said_to_have_no_interface(kernel: RecordedKernel, installed: bool, udev: Path) -> None:
    kernel.pf.renamed("eth0")
    kernel.sysfs = Sysfs(str(kernel.tree.root), str(udev))
    with pytest.raises(SriovError, match=r"^What 0000:01:00\.0 is called is not known \(udev has not finished with the interface.*: run this again"):
        foretell(kernel, pf="0000:01:00.0", link="up")
