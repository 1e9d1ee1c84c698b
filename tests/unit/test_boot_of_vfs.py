# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script for the next boot does to VFs, and leaves alone when it is run again: by sh, on a synthetic sysfs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.test_persistence import BY_MAC, Host


class Booted:
    """A host on a sysfs tree whose script for the next boot is run, with commands that do nothing but say where the PF is."""

    def __init__(self, host: Host, tree: Tree, folder: Path) -> None:
        self.host, self.tree, self.folder = host, tree, folder
        self.card = tree.pf("enp1s0", "0000:01:00.0", vfs=4)
        folder.mkdir()
        # udev comes after the kernel has bound what was probed.
        bind = f"""for vf in {tree.root}/bus/pci/devices/*; do
          driver=$(cat $vf/driver_override 2> /dev/null)
          [ "${{driver:-none}}" = none ] || {{ mkdir -p {tree.root}/bus/pci/drivers/$driver; ln -sfn {tree.root}/bus/pci/drivers/$driver $vf/driver; }}
        done"""
        ip = f'[ "$1" = -force ] && cat > {folder}/batch || echo "$@" >> {folder}/ip.log'
        commands = {"systemctl": f"echo {tree.root}/class/net/enp1s0", "udevadm": bind, "modprobe": "true", "ip": ip}
        for command, body in commands.items():
            self.command(command, body)

    def start(self, vfs: dict[int, dict], code: int = 0, **options: Any) -> str:
        """What the script says, with which exit code."""
        self.host.run(num_vfs="4", vfs=vfs, **options)
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        ended = subprocess.run(["sh", self.host.root / BY_MAC[-1]], env=environment, check=False, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == code, ended.stderr
        return ended.stderr

    def command(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def told(self, name: str) -> list[str]:
        """What a command was told that keeps a file of it."""
        path = self.folder / name
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    @property
    def batch(self) -> list[str]:
        """What ip was told at once."""
        return self.told("batch")

    def writes(self, index: int) -> dict[str, str]:
        """What was written for a VF, by file; it may have another driver now than the one it was taken from."""
        vf = self.card.vf(index).folder
        files = {name: vf / name for name in ("driver_override", "sriov_vf_msix_count")}
        for unbind in self.tree.root.glob("bus/pci/drivers/*/unbind"):
            if unbind.read_text(encoding="ascii").strip() == vf.name:
                files["driver/unbind"] = unbind
        return {name: path.read_text(encoding="ascii").strip() for name, path in files.items() if path.exists()}


@pytest.fixture
def booted(tree: Tree, tmp_path: Path) -> Booted:
    return Booted(Host(tmp_path), tree, tmp_path / "bin")


def test_the_script_gives_vfs_their_drivers_and_vectors(booted: Booted) -> None:
    assert booted.start({0: {"driver": "vfio-pci"}}) == ""
    assert booted.writes(0) == {"driver_override": "vfio-pci", "driver/unbind": "0000:01:10.0"}
    assert (booted.tree.root / "bus/pci/drivers_probe").read_text(encoding="ascii") == "0000:01:10.0\n"
    assert booted.start({0: {"driver": "default"}, 2: {"driver": "none"}}) == ""
    assert booted.writes(2) == {"driver_override": "none", "driver/unbind": "0000:01:10.4"}
    assert booted.start({2: {"driver": "default"}, 3: {"msix_count": 4}}) == ""
    assert booted.writes(3) == {"sriov_vf_msix_count": "4", "driver/unbind": "0000:01:10.6"}


def test_the_script_sets_no_attribute_of_a_vf_that_a_guest_has_when_it_is_run_again(booted: Booted) -> None:
    vfs = {index: {"mac": f"52:54:00:00:01:0{index}", "trust": True} for index in range(3)}
    assert booted.start(vfs) == ""
    assert len(booted.batch) == 6
    (booted.card.vf(0).net / "enp1s0v0" / "upper_macvtap0").symlink_to("..")
    booted.card.vf(1).bound_to("vfio-pci")
    assert booted.start(vfs).count("is left alone") == 2
    assert booted.batch == ["link set dev enp1s0 vf 2 mac 52:54:00:00:01:02", "link set dev enp1s0 vf 2 trust on"]


def test_the_script_takes_no_new_vf_for_one_in_use_because_vfio_claims_all_of_them(booted: Booted) -> None:
    booted.card.vf(0).bound_to("vfio-pci")
    (booted.card.folder / "sriov_numvfs").write_text("0\n", encoding="ascii")
    assert booted.start({0: {"trust": True, "driver": "none"}}) == ""
    assert booted.batch == ["link set dev enp1s0 vf 0 trust on"]
    assert booted.writes(0) == {"driver_override": "none", "driver/unbind": "0000:01:10.0"}


def test_the_script_does_nothing_to_a_driver_that_is_as_declared(booted: Booted) -> None:
    booted.card.vf(0).bound_to("vfio-pci")
    assert booted.start({0: {"driver": "vfio-pci"}, 1: {"driver": "igbvf"}}) == ""
    assert (booted.writes(0), booted.writes(1)) == ({}, {})


@pytest.mark.parametrize(("vectors", "written"), [(300, {}), (44, {"sriov_vf_msix_count": "300", "driver/unbind": "0000:01:10.6"})])
def test_the_script_takes_the_driver_from_a_vf_only_for_another_number_of_vectors(booted: Booted, vectors: int, written: dict[str, str]) -> None:
    booted.card.vf(3).vectors(vectors)
    assert booted.start({3: {"msix_count": 300}}) == ""
    assert booted.writes(3) == written


@pytest.mark.parametrize("space", [b"", bytes(256), b"\xff" * 4096])
def test_the_script_goes_on_where_the_vectors_cannot_be_read(booted: Booted, space: bytes) -> None:
    (booted.card.vf(3).folder / "config").write_bytes(space)
    assert booted.start({3: {"msix_count": 4}}) == ""
    assert booted.writes(3)["sriov_vf_msix_count"] == "4"


@pytest.mark.parametrize("wanted", [{"driver": "none"}, {"driver": "igbvf"}, {"driver": "default"}, {"msix_count": 4}])
def test_the_script_takes_no_vf_from_vfio_when_it_is_run_again(booted: Booted, wanted: dict) -> None:
    booted.card.vf(1).bound_to("vfio-pci")
    assert booted.start({1: wanted}, drivers_autoprobe=False).endswith("/virtfn1 is left alone: VFIO has it.\n")
    assert booted.writes(1) == {}


@pytest.mark.parametrize("wanted", [{"driver": "none"}, {"driver": "vfio-pci"}, {"msix_count": 4}])
def test_the_script_takes_no_vf_from_a_guests_macvtap_when_it_is_run_again(booted: Booted, wanted: dict) -> None:
    (booted.card.vf(1).net / "enp1s0v1" / "upper_macvtap0").symlink_to("..")
    assert booted.start({1: wanted}).endswith("/upper_macvtap0 stands on it.\n")
    assert booted.writes(1) == {}


@pytest.mark.parametrize(
    ("hold", "why"),
    [
        (lambda vf: vf.elsewhere(), "its interface is in another network namespace."),
        (lambda vf: (vf.folder / "vdpa0").mkdir(), "vDPA has it."),
        (lambda vf: (vf.folder / "infiniband_verbs/uverbs7").mkdir(parents=True), "a process has uverbs7 open."),
    ],
)
def test_the_script_takes_no_vf_from_whoever_leaves_its_driver_in_place(booted: Booted, tmp_path: Path, hold: Callable[[Any], object], why: str) -> None:
    hold(booted.card.vf(1))
    device = tmp_path / "dev/infiniband/uverbs7"
    device.parent.mkdir(parents=True)
    with device.open("w"):
        assert booted.start({1: {"driver": "vfio-pci"}, 2: {"driver": "none"}}).endswith(f"/virtfn1 is left alone: {why}\n")
    assert booted.writes(1) == {}
    assert booted.writes(2) == {"driver_override": "none", "driver/unbind": "0000:01:10.4"}


def test_the_script_switches_no_link_off_under_a_guest_when_it_is_run_again(booted: Booted) -> None:
    (booted.card.vf(1).net / "enp1s0v1" / "upper_macvtap0").symlink_to("..")
    assert booted.start({}, link="down").endswith("/upper_macvtap0 stands on it.\n")
    assert booted.told("ip.log") == []
    (booted.card.vf(1).net / "enp1s0v1" / "upper_macvtap0").unlink()
    assert booted.start({}, link="down") == ""
    assert booted.told("ip.log") == ["link set dev enp1s0 down"]


@pytest.mark.parametrize("driver", ["vfio-pci", "default"])
def test_the_script_fails_where_a_vf_does_not_get_its_driver(booted: Booted, driver: str) -> None:
    booted.card.vf(1).bound_to(None)
    booted.command("udevadm", "true")
    assert booted.start({1: {"driver": driver}}, code=1, drivers_autoprobe=False).endswith(f"/virtfn1 did not get the driver {driver}.\n")


@pytest.mark.parametrize("declared", [{"drivers_autoprobe": False}, {}])
def test_the_script_gives_the_default_driver_to_a_vf_that_the_kernel_gives_none(booted: Booted, declared: dict) -> None:
    """The kernel lets a driver take a VF without an override only while it is to do so with new ones."""
    switch, vf = booted.card.write(sriov_drivers_autoprobe=0).folder / "sriov_drivers_autoprobe", booted.card.vf(1)
    vf.nameless().bound_to(None).write(driver_override="none")
    booted.command("basename", f"cat {switch} >> {booted.folder}/probed\nexec /usr/bin/basename $@")
    booted.command("udevadm", f"! grep -qs 1 {booted.folder}/probed || ln -sfn {booted.tree.root}/bus/pci/drivers/igbvf {vf.folder}/driver")
    assert booted.start({0: {"driver": "default"}, 1: {"driver": "default"}}, **declared) == ""
    assert (booted.writes(0), booted.writes(1)) == ({}, {"driver_override": ""})
    assert (booted.tree.root / "bus/pci/drivers_probe").read_text(encoding="ascii") == f"{vf.address}\n"
    assert switch.read_text(encoding="ascii") == "0\n"


def test_the_script_leaves_the_default_driver_to_a_kernel_that_gives_it(booted: Booted) -> None:
    booted.card.vf(1).nameless().bound_to(None)
    assert booted.start({1: {"driver": "default"}}) == ""
    assert booted.writes(1) == {}


def test_the_script_gives_vectors_to_a_vf_that_has_no_driver_and_leaves_it_so(booted: Booted) -> None:
    booted.card.vf(3).nameless().bound_to(None)
    assert booted.start({3: {"msix_count": 4}}, drivers_autoprobe=False) == ""
    assert booted.writes(3) == {"sriov_vf_msix_count": "4"}
    assert not (booted.tree.root / "bus/pci/drivers_probe").exists()


@pytest.mark.parametrize(
    ("now", "vfs", "wanted", "code", "done"),
    [
        ("", "0", "legacy", 0, []),
        ("legacy", "0", "legacy", 0, []),
        ("legacy", "0", "switchdev", 0, ["dev eswitch set pci/0000:01:00.0 mode switchdev"]),
        ("legacy", "4", "switchdev", 1, []),
        ("switchdev", "4", "switchdev", 0, []),
    ],
)
def test_the_script_sets_the_mode_of_a_switch_only_where_there_is_another_and_no_vf(
    booted: Booted, now: str, vfs: str, wanted: str, code: int, done: list[str]
) -> None:
    show = f'echo "pci/0000:01:00.0: mode {now} inline-mode none encap-mode basic"' if now else "exit 1"
    booted.command("devlink", f'[ "$3" = show ] || exec echo "$@" >> {booted.folder}/devlink.log\n{show}')
    (booted.card.folder / "sriov_numvfs").write_text(f"{vfs}\n", encoding="ascii")
    said = booted.start({}, code, eswitch_mode=wanted)
    assert (said, booted.told("devlink.log")) == ("The PF has VFs already, and keeps its eswitch_mode legacy.\n" if code else "", done)
