# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._persistence import Persistence
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

PF = {
    "name": "enp1s0",
    "altnames": ["enx525400aa0001"],
    "pci_address": "0000:01:00.0",
    "mac": "52:54:00:aa:00:01",
    "permanent_mac": "52:54:00:aa:00:01",
}
BY_MAC = [
    "etc/systemd/system/multi-user.target.wants/vfpool-sriov-enx525400aa0001.service",
    "etc/systemd/system/vfpool-sriov-enx525400aa0001.service",
    "etc/udev/rules.d/85-vfpool-sriov-enx525400aa0001.rules",
    "etc/vfpool.sriov/enx525400aa0001",
]


class Host:
    """The files of one host, below a folder of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def wish(
        self, pf: dict | None = None, vfs: dict[int, dict] | None = None, count: int = 4, selector: str = "enp1s0", **options: Any
    ) -> Persistence:
        nothing = dict.fromkeys(("num_vfs", "drivers_autoprobe", "eswitch_mode", "link", "mtu"))
        wish = {**nothing, "pf": selector, "persist": True, "timeout": 120, **options}
        return Persistence(pf or PF, wish, vfs or {}, count, f"{self.root}/")

    def run(self, **options: Any) -> list[str]:
        plan = Plan()
        self.wish(**options).add_steps(plan)
        plan.apply()
        return plan.actions

    @property
    def files(self) -> list[str]:
        return sorted(os.path.relpath(os.path.join(folder, name), self.root) for folder, _folders, names in os.walk(self.root) for name in names)

    def script(self) -> str:
        return (self.root / BY_MAC[-1]).read_text(encoding="utf-8")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_declared_pf_is_kept_in_four_files_and_a_second_run_writes_none(host: Host) -> None:
    assert host.run(num_vfs="4", link="up") == ["keep the declared state of enp1s0 (0000:01:00.0) for the next boot"]
    assert host.files == BY_MAC
    assert host.run(num_vfs="4", link="up") == []


def test_a_new_name_of_the_pf_changes_nothing_for_the_next_boot(host: Host) -> None:
    host.run(num_vfs="4")
    assert host.run(pf={**PF, "name": "wan0"}, num_vfs="4") == []


def test_a_pf_that_is_named_by_its_slot_is_kept_by_its_slot_alone(host: Host) -> None:
    host.run(num_vfs="4")
    host.run(num_vfs="4", selector="0000:01:00.0")
    assert [name.replace("pci0000:01:00.0", "enx525400aa0001") for name in host.files] == BY_MAC
    assert not any("enx" in name for name in host.files)


def test_an_infiniband_pf_is_kept_by_its_slot_for_udev_makes_no_name_of_its_address(host: Host) -> None:
    address = "00:00:10:29:fe:80:00:00:00:00:00:00:50:6b:4b:03:00:2c:8f:52"
    host.run(pf={**PF, "name": "ibp1s0", "mac": address, "permanent_mac": address}, num_vfs="4")
    assert [name.replace("pci0000:01:00.0", "enx525400aa0001") for name in host.files] == BY_MAC


@pytest.mark.parametrize("options", [{"persist": False, "num_vfs": "4"}, {"num_vfs": "0", "count": 0}])
def test_giving_it_up_leaves_no_trace(host: Host, options: dict) -> None:
    host.run(num_vfs="4", link="up")
    assert host.run(**options) == ["keep nothing of enp1s0 (0000:01:00.0) for the next boot"]
    assert host.files == []
    assert not (host.root / "etc/vfpool.sriov").exists()


def test_a_later_run_adds_to_what_was_declared_before(host: Host) -> None:
    host.run(num_vfs="4", vfs={0: {"vlan": 100}, 3: {"trust": True}})
    host.run(mtu=9000, vfs={0: {"trust": True}})
    assert host.wish().declared == {"num_vfs": "4", "mtu": 9000, "vfs": {0: {"vlan": 100, "trust": True}, 3: {"trust": True}}}


def test_vfs_that_there_will_not_be_are_forgotten(host: Host) -> None:
    host.run(num_vfs="4", vfs={0: {"vlan": 100}, 3: {"trust": True}})
    host.run(num_vfs="2", count=2)
    assert host.wish(count=2).declared == {"num_vfs": "2", "vfs": {0: {"vlan": 100}}}


def test_settings_for_vfs_that_somebody_else_made_keep_their_number_too(host: Host) -> None:
    assert host.wish(vfs={1: {"vlan": 5}}, count=3).declared == {"num_vfs": "3", "vfs": {1: {"vlan": 5}}}


def test_a_file_that_someone_edited_is_noticed_and_written_anew(host: Host) -> None:
    host.run(num_vfs="4")
    before = host.script()
    (host.root / BY_MAC[-1]).write_text(before + "reboot\n", encoding="utf-8")
    assert host.wish(num_vfs="4").edited == [str(host.root / BY_MAC[-1])]
    assert host.run(num_vfs="4") != []
    assert host.script() == before


def test_a_file_of_someone_else_is_left_alone(host: Host) -> None:
    rule = host.root / BY_MAC[2]
    rule.parent.mkdir(parents=True)
    rule.write_text("# mine\n", encoding="utf-8")
    with pytest.raises(SriovError, match=r"is in the way and was not written by this collection: move it elsewhere, or say persist: false\.$"):
        host.run(num_vfs="4")
    assert rule.read_text(encoding="utf-8") == "# mine\n"


def test_a_failed_later_step_puts_the_old_files_back(host: Host) -> None:
    host.run(num_vfs="4")
    before = host.script()

    def fail() -> None:
        raise SriovError("No.")

    plan = Plan()
    host.wish(num_vfs="2", count=2).add_steps(plan)
    plan.add("fail", fail)
    with pytest.raises(SriovError):
        plan.apply()
    assert host.script() == before


# Python tells its audit hooks of these before it makes the system call.
_CHANGES = ("open", "os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir")


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Do it in a process of its own, which is killed right before its change number ``number`` to a file; whether it came so far."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = number

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _CHANGES and (event != "open" or arguments[2] & os.O_WRONLY):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(kill)
    act()
    os._exit(0)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of Python 3.12: that a fork may stop what threads do
@pytest.mark.parametrize(
    ("before", "wanted", "files"),
    [
        ({"persist": False}, {"num_vfs": "4", "link": "up"}, BY_MAC),
        ({"num_vfs": "4", "vfs": {3: {"trust": True}}}, {"num_vfs": "2", "count": 2, "timeout": 9}, BY_MAC),
        ({"num_vfs": "4", "link": "up"}, {"num_vfs": "0", "count": 0}, []),
    ],
)
def test_a_run_that_is_killed_at_any_file_leaves_whole_ones_and_is_finished_by_the_next(
    host: Host, before: dict, wanted: dict, files: list[str]
) -> None:
    number = 0
    host.run(**before)
    while killed_at(number, lambda: host.run(**wanted)):
        assert host.wish(**wanted).edited == []
        host.run(**wanted)
        assert (host.files, host.run(**wanted)) == (files, [])
        host.run(persist=False)
        host.run(**before)
        number += 1
    assert number >= 4, "the link and each of three files were cut short"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_giving_up_removes_what_a_killed_run_did_not_finish(host: Host) -> None:
    number = 0
    while killed_at(number, lambda: host.run(num_vfs="4")):
        host.run(persist=False)
        assert host.files == []
        number += 1


@pytest.mark.parametrize(
    ("path", "text", "owner"),
    [
        ("etc/NetworkManager/system-connections/pf.nmconnection", "[connection]\ninterface-name=enp1s0\n[sriov]\ntotal-vfs=3\n", "NetworkManager"),
        ("run/NetworkManager/system-connections/pf.nmconnection", "[ethernet]\nmac-address=52:54:00:AA:00:01\n[sriov]\n", "NetworkManager"),
        ("etc/NetworkManager/system-connections/pf", "[match]\npath=pci-0000:01:00.0;\n[sriov]\nvf.0=trust=true\n", "NetworkManager"),
        ("etc/sysconfig/network-scripts/ifcfg-pf", "DEVICE=enp1s0\nSRIOV_TOTAL_VFS=3\n", "NetworkManager"),
        ("etc/systemd/network/10-pf.link", "[Match]\nPermanentMACAddress=52:54:00:AA:00:01\n[Link]\nSR-IOVVirtualFunctions=3\n", "systemd.link"),
        ("usr/lib/systemd/network/10-pf.link", "[Match]\nPath=pci-0000:01:00.0\n[SR-IOV]\nVirtualFunction=2\nTrust=yes\n", "systemd.link"),
        ("etc/systemd/network/10-pf.network", "[Match]\nName=enp1s0\n[SR-IOV]\nVirtualFunction=2\n", "systemd-networkd"),
        ("etc/netplan/50-pf.yaml", "network:\n  ethernets:\n    enp1s0:\n      virtual-function-count: 3\n", "netplan"),
        ("etc/udev/rules.d/70-pf.rules", 'KERNELS=="0000:01:00.0", ATTR{device/sriov_numvfs}="3"\n', "udev"),
        ("etc/network/interfaces", "iface enp1s0 inet manual\n  up echo 3 > /sys/class/net/enp1s0/device/sriov_numvfs\n", "ifupdown"),
    ],
)
def test_another_owner_of_the_pf_is_named_with_the_choice(host: Host, path: str, text: str, owner: str) -> None:
    (host.root / path).parent.mkdir(parents=True)
    (host.root / path).write_text(text, encoding="utf-8")
    with pytest.raises(SriovError) as caught:
        host.run(num_vfs="4")
    assert str(caught.value) == (
        f"The VFs of enp1s0 (0000:01:00.0) are declared in {host.root}/{path} ({owner}) too: remove them there, "
        "or say persist: false here and leave the next boot to it."
    )
    assert host.run(num_vfs="4", persist=False) == []


def test_a_file_about_another_pf_or_without_vfs_is_no_rival(host: Host) -> None:
    folder = host.root / "etc/systemd/network"
    folder.mkdir(parents=True)
    (folder / "10-other.link").write_text("[Match]\nOriginalName=enp1s0f1\n[Link]\nSR-IOVVirtualFunctions=3\n", encoding="utf-8")
    (folder / "20-name.link").write_text("[Match]\nOriginalName=enp1s0\n[Link]\n#SR-IOVVirtualFunctions=3\nName=wan0\n", encoding="utf-8")
    profiles = host.root / "etc/NetworkManager/system-connections"
    profiles.mkdir(parents=True)
    (profiles / "pf.nmconnection").write_text("[connection]\ninterface-name=enp1s0\n[ethernet]\nmtu=9000\n[ipv4]\nmethod=auto\n", encoding="utf-8")
    assert host.run(num_vfs="4") != []


def test_the_unit_for_the_next_boot_waits_for_nothing_that_may_itself_wait_for_the_network(host: Host) -> None:
    """cloud-init on Debian 12 wants the network before sysinit.target: a unit after that and before the network would close a circle."""
    host.run(num_vfs="4")
    (path,) = [host.root / name for name in BY_MAC if name.startswith("etc/systemd/system/vfpool")]
    unit = configparser.ConfigParser(delimiters="=", strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    assert unit["Unit"]["DefaultDependencies"] == "no"
    assert all(after.endswith(".device") or after in ("local-fs.target", "systemd-udevd.service") for after in unit["Unit"]["After"].split())
    assert {"network-pre.target", "libvirtd.service", "virtnetworkd.service"} <= set(unit["Unit"]["Before"].split())


def test_the_script_for_the_next_boot_is_good_shell(host: Host) -> None:
    host.run(
        num_vfs="max",
        link="up",
        mtu=9000,
        drivers_autoprobe=True,
        eswitch_mode="legacy",
        vfs={0: {"max_tx_rate": 100, "mac": "52:54:00:00:00:01"}, 1: {"driver": "vfio-pci", "msix_count": 4}, 2: {"driver": "none"}},
    )
    subprocess.run(["sh", "-n", host.root / BY_MAC[-1]], check=True)
    assert [line for line in host.script().splitlines() if line.startswith("link set")] == [
        "link set dev $name vf 0 mac 52:54:00:00:00:01",
        "link set dev $name vf 0 max_tx_rate 100 min_tx_rate 0",
    ]


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
def booted(host: Host, tree: Tree, tmp_path: Path) -> Booted:
    return Booted(host, tree, tmp_path / "bin")


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


@pytest.mark.parametrize("wanted", [{"driver": "none"}, {"driver": "igbvf"}, {"msix_count": 4}])
def test_the_script_takes_no_vf_from_vfio_when_it_is_run_again(booted: Booted, wanted: dict) -> None:
    booted.card.vf(1).bound_to("vfio-pci")
    assert booted.start({1: wanted}).endswith("/virtfn1 is left alone: VFIO has it.\n")
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


def test_the_script_fails_where_a_vf_does_not_get_its_driver(booted: Booted) -> None:
    booted.command("udevadm", "true")
    assert booted.start({1: {"driver": "vfio-pci"}}, code=1).endswith("/virtfn1 did not get the driver vfio-pci.\n")


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
