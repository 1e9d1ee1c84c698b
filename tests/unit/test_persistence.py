# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._persistence import Persistence
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import VF_SPEC
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel
from ansible_collections.vfpool.sriov.tests.unit.wishes import plan

PF = {
    "name": "enp1s0",
    "altnames": ["enx525400aa0001"],
    "pci_address": "0000:01:00.0",
    "mac": "52:54:00:aa:00:01",
    "permanent_mac": "52:54:00:aa:00:01",
}
# As the facts have it while its interface is in another network namespace.
AWAY = {**PF, **dict.fromkeys(("name", "altnames", "mac", "permanent_mac"))}
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


@pytest.mark.parametrize("selector", ["enp1s0", "0000:01:00.0"])
def test_a_pf_goes_on_being_kept_as_it_is_while_its_interface_is_in_another_namespace(host: Host, selector: str) -> None:
    host.run(num_vfs="4", mtu=9000, selector=selector)
    files = host.files
    assert host.run(pf=AWAY, selector="0000:01:00.0", num_vfs="4") == []
    assert host.run(pf=AWAY, selector="0000:01:00.0", drivers_autoprobe=False) != []
    assert host.files == files
    assert host.run(selector=selector, num_vfs="4", mtu=9000, drivers_autoprobe=False) == []


def test_a_pf_whose_interface_is_in_another_namespace_is_given_up_without_a_trace(host: Host) -> None:
    host.run(num_vfs="4")
    host.run(pf=AWAY, selector="0000:01:00.0", persist=False)
    assert host.files == []


def test_a_pf_that_has_no_interface_any_more_is_kept_by_its_slot_alone(host: Host) -> None:
    host.run(num_vfs="4")
    host.run(pf={**AWAY, "altnames": []}, selector="0000:01:00.0", drivers_autoprobe=False)
    assert [name.replace("pci0000:01:00.0", "enx525400aa0001") for name in host.files] == BY_MAC
    assert not any("enx" in name for name in host.files)
    assert host.wish(pf={**AWAY, "altnames": []}).declared == {"num_vfs": "4", "drivers_autoprobe": False}


def test_a_pf_without_an_interface_is_not_taken_for_one_in_another_slot_or_for_the_former_one_in_its_own(host: Host) -> None:
    host.run(num_vfs="4", pf={**PF, "permanent_mac": "52:54:00:aa:00:09"})
    former = host.files
    for file in former:
        os.utime(host.root / file, (1, 1), follow_symlinks=False)
    host.run(num_vfs="3")
    host.run(num_vfs="2", pf={**PF, "pci_address": "0000:02:00.0", "permanent_mac": "52:54:00:aa:00:02"})
    assert host.wish(pf=AWAY, selector="0000:01:00.0").declared == {"num_vfs": "3"}
    assert host.wish(pf={**PF, "permanent_mac": None}).declared == {}, "an interface that is there and knows no such address has none"
    host.run(pf={**AWAY, "pci_address": "0000:03:00.0"}, selector="0000:03:00.0", num_vfs="1")
    assert len(host.files) == 16


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


@pytest.mark.parametrize("path", [*BY_MAC[1:], "etc/vfpool.sriov"])
def test_what_is_in_the_way_of_a_file_is_named_and_left_alone_and_hinders_nobody_who_wants_no_file(host: Host, path: str) -> None:
    place = host.root / path
    place.mkdir(parents=True)
    if place.name == "vfpool.sriov":
        place.rmdir()
        place.touch()
    with pytest.raises(SriovError) as caught:
        host.wish(num_vfs="4")
    assert str(caught.value) == f"{place} is in the way and was not written by this collection: move it elsewhere, or say persist: false."
    assert host.run(num_vfs="4", persist=False) == []
    assert place.exists()


def test_what_a_killed_run_left_beside_a_file_of_someone_else_is_no_reason_to_remove_that(host: Host) -> None:
    rule = host.root / BY_MAC[2]
    rule.parent.mkdir(parents=True)
    rule.write_text("# mine\n", encoding="utf-8")
    rule.with_name(f"{rule.name}.new").touch()
    host.run(persist=False)
    assert rule.read_text(encoding="utf-8") == "# mine\n"


@pytest.mark.parametrize(
    "record",
    [
        *(b"\xff", b"", b"{", b"[1]", b"1", b"null", b'{"vfs": {"0": 5}}', b'{"vfs": 3}', b'{"vfs": null}', b'{"vfs": {"0": [["vlan", 5]]}}', b"[" * 100000),
        *(b'{"num_vfs": "4; reboot"}', b'{"num_vfs": "04"}', b'{"num_vfs": 4}', b'{"num_vfs": "-1"}', b'{"num_vfs": "4\\n"}', b'{"num_vfs": null}'),
        *(b'{"mtu": "9000; reboot"}', b'{"mtu": true}', b'{"mtu": 9000.5}', b'{"drivers_autoprobe": 1}', b'{"drivers_autoprobe": "$(reboot)"}'),
        *(b'{"eswitch_mode": "legacy; reboot"}', b'{"link": "$(reboot)"}', b'{"link": ["up"]}', b'{"pf": "enp1s0"}', b'{"persist": true}'),
        *(b'{"vfs": {"0; reboot": {}}}', b'{"vfs": {"-1": {}}}', b'{"vfs": {"70000": {}}}', b'{"vfs": {"0": {"index": "0"}}}'),
        *(b'{"vfs": {"0": {"driver": "vfio-pci; reboot"}}}', b'{"vfs": {"0": {"driver": ""}}}', b'{"vfs": {"0": {"driver": "igbvf\\n"}}}'),
        *(b'{"vfs": {"0": {"mac": "EOF"}}}', b'{"vfs": {"0": {"mac": "01:00:5e:00:00:01"}}}', b'{"vfs": {"0": {"mac": 5}}}'),
        *(b'{"vfs": {"0": {"vlan": 4095}}}', b'{"vfs": {"0": {"vlan": "5"}}}', b'{"vfs": {"0": {"vlan": true}}}', b'{"vfs": {"0": {"trust": "on"}}}'),
        *(b'{"vfs": {"0": {"link_state": "up"}}}', b'{"vfs": {"0": {"msix_count": 0}}}', b'{"vfs": {"0": {"max_tx_rate": -1}}}'),
    ],
)
def test_a_record_of_what_was_declared_that_nobody_wrote_so_is_not_carried_on_in_any_part(host: Host, record: bytes) -> None:
    host.run(num_vfs="4", mtu=9000)
    script = host.root / BY_MAC[-1]
    script.write_bytes(re.sub(rb"(?<=# declared: ).*", lambda _line: record, script.read_bytes()))
    wish = host.wish(drivers_autoprobe=True)
    assert (wish.declared, wish.untold) == ({"drivers_autoprobe": True}, [str(script)])


def test_a_task_warns_of_a_script_that_does_not_tell_any_more_what_was_declared(kernel: RecordedKernel, tmp_path: Path) -> None:
    plan(kernel, mtu=9000, persist=True).plan.apply()
    (script,) = (tmp_path / "etc/vfpool.sriov").iterdir()
    script.write_text(script.read_text(encoding="utf-8").replace("9000", '"9000; reboot"'), encoding="utf-8")
    assert plan(kernel, link="up", persist=True).warnings == [
        f"{script} was changed by hand since this collection wrote it, and is written anew.",
        f"What {script} declared cannot be told, so only what is said here is kept for the next boot.",
    ]


def test_a_task_for_a_pf_whose_interface_went_to_another_namespace_writes_no_second_set_of_files(kernel: RecordedKernel, tmp_path: Path) -> None:
    host = Host(tmp_path / "etc")
    plan(kernel, num_vfs="3", link="up", persist=True).plan.apply()
    files = host.files
    kernel.pf.elsewhere()
    plan(kernel, num_vfs="2", persist=True).plan.apply()
    assert host.files == files


def test_everything_that_can_be_declared_is_carried_on(host: Host) -> None:
    of_pf = {"num_vfs": "max", "drivers_autoprobe": False, "eswitch_mode": "switchdev", "link": "down", "mtu": 9000}
    attributes = {"mac": "52:54:00:00:01:00", "vlan": 100, "qos": 3, "vlan_proto": "802.1ad", "spoofchk": False, "trust": True, "link_state": "auto"}
    rest = {"min_tx_rate": 0, "max_tx_rate": 2**32 - 1, "query_rss": True, "driver": "vfio-pci", "msix_count": 4}
    vfs = {0: {**attributes, **rest}, 3: {"driver": "none"}}
    assert {*attributes, *rest} == set(VF_SPEC)
    host.run(**of_pf, vfs=vfs)
    wish = host.wish()
    assert (wish.declared, wish.untold) == ({**of_pf, "vfs": vfs}, [])


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
