# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._command import in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._link import ask_links
from ansible_collections.vfpool.sriov.plugins.module_utils._link_claims import link_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands

EVERYTHING = "ip -json -details address show"
MIN, CONFIG = frozenset({"min"}), frozenset({"min", "config"})


def vf_info(index: int, **changes: Any) -> dict:
    """As an Intel 82576 under Linux 6.12 and iproute2 6.15 tells it."""
    return {
        "vf": index, "link_type": "ether", "address": "00:00:00:00:00:00", "broadcast": "ff:ff:ff:ff:ff:ff", "vlan_list": [{}],
        "rate": {"max_tx": 0, "min_tx": 0}, "spoofchk": True, "link_state": "auto", "trust": False, **changes,
    }  # fmt: skip


def link(name: str, vfs: int = 0, **changes: Any) -> dict:
    return {"ifname": name, "altnames": [f"alt{name}"], "vfinfo_list": [vf_info(index) for index in range(vfs)], "addr_info": [], **changes}


@pytest.fixture
def card(tree: Tree) -> Tree:
    tree.pf("enp1s0", "0000:01:00.0", vfs=4, mac="52:54:00:aa:00:01")
    return tree


def ask(tree: Tree, commands: Commands, wanted: frozenset[str] = CONFIG, pfs: list[str] | None = None) -> dict:
    return gather(pfs, wanted, commands.run, Sysfs(str(tree.root)))


def configs(sriov: dict) -> list[dict | None]:
    return [vf["config"] for vf in sriov["pfs"][0]["vfs"]]


def lacks(sriov: dict) -> dict[str, str]:
    """What is incomplete, by part; the hardware database is never there for a tree on disk."""
    return {entry["part"]: entry["reason"] for entry in sriov["incomplete"] if entry["part"] not in ("vendor", "model")}


# VFs as ip tells them

VF = {"mac": "52:54:00:00:00:07", "operstate": "dormant"}


def test_a_vf_is_as_ip_tells_it(card: Tree) -> None:
    sriov = ask(card, Commands([link("enp1s0"), link("enp1s0v0", address=VF["mac"], operstate="DORMANT")]), MIN)
    assert {key: sriov["pfs"][0]["vfs"][0][key] for key in VF} == VF


@pytest.mark.parametrize("told", [{"address": "no mac", "operstate": "UP"}, {"address": None, "operstate": "UP"}, {"address": VF["mac"], "operstate": 7}])
def test_what_ip_tells_oddly_is_read_from_sysfs(card: Tree, told: dict) -> None:
    sriov = ask(card, Commands([link("enp1s0"), link("enp1s0v0", **told)]), MIN)
    assert sriov["incomplete"] == []
    assert sriov["pfs"][0]["vfs"][0] == ask(card, Commands([link("enp1s0")]), MIN)["pfs"][0]["vfs"][0]


# VF configuration


def test_a_vf_that_nobody_configured_has_the_cards_defaults(card: Tree) -> None:
    sriov = ask(card, Commands([link("enp1s0", vfs=4)]))
    assert lacks(sriov) == {}
    assert configs(sriov)[0] == {
        "mac": "00:00:00:00:00:00", "vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "spoofchk": True, "trust": False, "link_state": "auto",
        "min_tx_rate": 0, "max_tx_rate": 0, "query_rss": None,
    }  # fmt: skip


def test_an_attribute_that_the_driver_does_not_have_is_null_and_nothing_is_missing(card: Tree) -> None:
    bare = [{"vf": index, "address": "00:00:00:00:00:00", "vlan_list": [{}], "rate": {"max_tx": 0, "min_tx": 0}} for index in range(4)]
    sriov = ask(card, Commands([link("enp1s0", vfinfo_list=bare)]))
    config = configs(sriov)[0]
    assert config and [config[key] for key in ("spoofchk", "trust", "link_state", "query_rss")] == [None] * 4
    assert lacks(sriov) == {}


def test_a_list_that_the_kernel_cut_is_not_passed_on_as_whole(card: Tree) -> None:
    sriov = ask(card, Commands([link("enp1s0", vfs=2)]))
    assert [config is None for config in configs(sriov)] == [False, False, True, True]
    assert lacks(sriov) == {
        "vfs[2-3].config": "rtnetlink's list has 2 of 4 VFs: the kernel cuts it at 64 KiB, VFs are just being made, or the driver tells no more",
    }


# With so many VFs or more, as seen with netdevsim under Linux 6.1 and 6.12, the kernel's list has no room for all.
TOO_MANY = 335


@pytest.fixture
def crowded(tree: Tree) -> Tree:
    tree.pf("enp1s0", "0000:01:00.0", vfs=TOO_MANY, stride=1)
    return tree


@pytest.mark.parametrize("told", [0, 5])
def test_a_list_that_is_cut_even_before_its_first_vf_does_not_pass_for_a_driver_without_configuration(crowded: Tree, told: int) -> None:
    sriov = ask(crowded, Commands([link("enp1s0", vfs=told, link=None)]))
    reason = f"rtnetlink's list has {told} of {TOO_MANY} VFs: the kernel cuts it at 64 KiB, VFs are just being made, or the driver tells no more"
    assert lacks(sriov) == {f"vfs[{told}-{TOO_MANY - 1}].config": reason}
    assert sriov["pfs"][0]["altnames"] == ["altenp1s0"]


def test_a_cut_list_is_asked_for_again_where_it_has_more_room(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=256, stride=1)
    whole, cut = link("enp1s0", vfs=256), link("enp1s0", vfs=34)
    del whole["altnames"], cut["altnames"]
    commands = Commands([whole])
    commands.refusals[EVERYTHING] = 0, json.dumps([cut]), "Truncated VF list: enp1s0\n"
    sriov = ask(tree, commands)
    assert (None in configs(sriov), sriov["pfs"][0]["altnames"], lacks(sriov)) == (False, [], {})
    assert commands.asked == [EVERYTHING, f"{EVERYTHING} dev enp1s0", "devlink -j dev eswitch show pci/0000:01:00.0"]


def test_altnames_that_ip_misses_behind_a_cut_list_are_not_known(crowded: Tree) -> None:
    told = link("enp1s0", vfs=62)
    del told["altnames"]
    sriov = ask(crowded, Commands([told]), MIN)
    assert sriov["pfs"][0]["altnames"] is None
    assert lacks(sriov) == {"altnames": f"ip cannot tell whether it has any beside {TOO_MANY} VFs"}


def test_an_interface_that_goes_away_behind_a_cut_list_is_as_it_was_told(crowded: Tree) -> None:
    commands = Commands([link("enp1s0", vfs=62)])
    commands.refusals[f"{EVERYTHING} dev enp1s0"] = 1, "", 'Device "enp1s0" does not exist.'
    assert len([config for config in configs(ask(crowded, commands)) if config]) == 62


def test_an_interface_that_ip_makes_up_behind_a_cut_list_holds_no_vf(crowded: Tree) -> None:
    commands = Commands([link("enp1s0", vfs=5, link="enp1s0v5"), link("macvtap0", link="enp1s0v7", linkinfo={"info_kind": "macvtap"})])
    pfs = gather(None, MIN, commands.run, Sysfs(str(crowded.root)))["pfs"]
    links = ask_links(pfs, in_turn(commands.run))().by_name
    assert [claim.device for claim in link_claims(links.values())] == ["enp1s0v7"]


def test_a_driver_that_keeps_no_vf_configuration_is_named(card: Tree) -> None:
    assert lacks(ask(card, Commands([link("enp1s0")]))) == {"vfs[0-3].config": "the driver igb gives rtnetlink no VF configuration"}


def test_without_an_interface_of_the_pf_there_is_no_vf_configuration(tree: Tree) -> None:
    tree.pf(None, "0000:01:00.0", vfs=2)
    sriov = ask(tree, Commands([]))
    assert sriov["pfs"][0]["altnames"] == []
    reason = "the PF has no network interface here whose name is known, and rtnetlink gives VF configuration through that alone"
    assert lacks(sriov) == {"vfs[0-1].config": reason}


def test_the_vfs_of_a_disk_have_no_vf_configuration_to_miss(tree: Tree) -> None:
    tree.pf(None, "0000:01:00.0", vfs=2, driver="nvme", pci_class="0x010802")
    assert lacks(ask(tree, Commands([]))) == {}


def test_a_pf_whose_vfs_fit_into_no_message_does_not_hide_the_others(card: Tree) -> None:
    card.pf("ib0", "0000:02:00.0", vfs=2)
    commands = Commands([link("enp1s0", vfs=4), link("ib0", vfs=2)])
    commands.refusals[EVERYTHING] = 2, "", "RTNETLINK answers: Message too long\nDump terminated\n"
    commands.refusals[f"{EVERYTHING} dev ib0"] = 2, "", "RTNETLINK answers: Message too long"
    sriov = ask(card, commands)
    assert None not in configs(sriov)
    assert [pf["altnames"] for pf in sriov["pfs"]] == [["altenp1s0"], ["altib0"]]
    assert lacks(sriov) == {"vfs[0-1].config": "RTNETLINK answers: Message too long"}
    assert len(commands.asked) == 2 + 2 * 2


def test_an_ip_that_cannot_leave_out_vfs_does_not_hide_why_it_was_asked_to(card: Tree) -> None:
    commands = Commands([])
    commands.refusals[EVERYTHING] = 2, "", "RTNETLINK answers: Message too long\nDump terminated\n"
    commands.refusals[f"{EVERYTHING} novf"] = 1, "", 'Device "novf" does not exist.\n'  # iproute2 6.1
    commands.refusals[f"{EVERYTHING} dev enp1s0"] = 2, "", "RTNETLINK answers: Message too long"
    assert lacks(ask(card, commands))["altnames"] == "RTNETLINK answers: Message too long Dump terminated"


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (OSError(errno.ENOENT, "No such file or directory"), "the command ip does not run: No such file or directory (install iproute2)"),
        ((0, "not json", ""), "ip gave an answer that makes no sense: 'not json'"),
        ((0, "[7]", ""), "ip gave an answer that makes no sense: '[7]'"),
        ((255, "", ""), "ip exited with 255"),
    ],
)
def test_when_ip_fails_what_it_knows_is_missing_and_sysfs_is_not(card: Tree, refusal: Any, reason: str) -> None:
    commands = Commands([])
    for line in (EVERYTHING, f"{EVERYTHING} novf", f"{EVERYTHING} dev enp1s0"):
        commands.refusals[line] = refusal
    sriov = ask(card, commands)
    assert (sriov["pfs"][0]["mac"], len(sriov["pfs"][0]["vfs"])) == ("52:54:00:aa:00:01", 4)
    assert lacks(sriov) == {"altnames": reason, "vfs[0-3].config": reason}


@pytest.mark.parametrize(
    ("vfs", "reason"),
    [
        (None, "ip gave an answer that makes no sense"),
        ([5], "ip gave a list of VFs that makes no sense"),
        ([{"vf": 0, "vlan_list": ["x"]}], "ip gave a list of VFs that makes no sense"),
        ([{"vf": 0, "vlan_list": {"vlan": 7}}], "ip gave a list of VFs that makes no sense"),
        ([{"vf": 0, "rate": None}], "ip gave a list of VFs that makes no sense"),
        ([{"vf": 0, "trust": "maybe"}], "ip says trust 'maybe' of VF 0, which makes no sense"),
        ([{"vf": 0, "rate": {"max_tx": -1}}], "ip says max_tx_rate -1 of VF 0, which makes no sense"),
        ([{"vf": 99}], "rtnetlink's list has 0 of 4 VFs"),
    ],
)
def test_no_configuration_is_made_of_a_list_of_vfs_that_makes_no_sense(card: Tree, vfs: Any, reason: str) -> None:
    sriov = ask(card, Commands([link("enp1s0", vfinfo_list=vfs)]))
    assert configs(sriov) == [None] * 4
    assert lacks(sriov)["vfs[0-3].config"].startswith(reason)


@pytest.mark.parametrize("part", ["altnames", "linkinfo", "addr_info"])
def test_no_value_is_made_of_a_link_that_makes_no_sense(card: Tree, part: str) -> None:
    reason = "ip gave an answer that makes no sense: "
    sriov = ask(card, Commands([link("enp1s0", vfs=4, **{part: "text"})]))
    assert (sriov["pfs"][0]["altnames"], configs(sriov)) == (None, [None] * 4)
    assert {key: why[: len(reason)] for key, why in lacks(sriov).items()} == {"altnames": reason, "vfs[0-3].config": reason}


def test_what_a_filter_of_ip_leaves_out_does_not_hide_the_rest(card: Tree) -> None:
    commands = Commands([])
    commands.refusals[EVERYTHING] = 0, json.dumps([{}, link("enp1s0", vfs=4), {}]), ""
    sriov = ask(card, commands)
    assert (None in configs(sriov), sriov["pfs"][0]["altnames"], lacks(sriov)) == (False, ["altenp1s0"], {})


def test_a_pf_that_ip_does_not_name_any_more_tells_no_vf_configuration(card: Tree) -> None:
    commands = Commands([])
    commands.refusals[f"{EVERYTHING} dev enp1s0"] = 0, "[{}]", ""
    assert lacks(ask(card, commands)) == dict.fromkeys(("altnames", "vfs[0-3].config"), "ip names no interface enp1s0")


def test_a_pf_with_an_interface_has_vf_configuration_to_miss_whatever_its_class(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2, pci_class="0x120000")
    assert None not in configs(ask(tree, Commands([link("enp1s0", vfs=2)])))
    assert "vfs[0-1].config" in lacks(ask(tree, Commands([link("enp1s0")])))


def test_of_a_nameless_pf_whose_class_cannot_be_read_or_is_not_there_vf_configuration_is_missed(tree: Tree) -> None:
    pf = tree.pf(None, "0000:01:00.0", vfs=2)
    for damage in (pf.unreadable, pf.absent):
        damage("class")
        assert list(lacks(ask(tree, Commands([])))) == ["vfs[0-1].config"]


def test_a_pf_whose_interface_is_elsewhere_lacks_its_altnames_for_that_reason_alone(card: Tree) -> None:
    card.functions["0000:01:00.0"].elsewhere()
    sriov = ask(card, Commands([link("lo")]), MIN)
    assert [entry["reason"] for entry in sriov["incomplete"] if entry["part"] == "altnames"] == ["its interface was moved to another network namespace"]


# The switch, MSI-X, vendor and model


def test_the_mode_of_the_switch_is_told_and_no_switch_is_no_damage(card: Tree) -> None:
    card.pf("enp2s0", "0000:02:00.0")
    sriov = ask(card, Commands([link("enp1s0", vfs=4), link("enp2s0")], eswitch={"0000:02:00.0": "switchdev"}))
    assert [pf["eswitch_mode"] for pf in sriov["pfs"]] == [None, "switchdev"]
    assert lacks(sriov) == {}


@pytest.mark.parametrize("words", ["kernel answers: No such device", "kernel answers: Operation not supported", "Failed to connect to devlink Netlink"])
def test_a_kernel_or_a_driver_without_such_a_switch_is_no_damage(card: Tree, words: str) -> None:
    commands = Commands([link("enp1s0", vfs=4)])
    commands.refusals["devlink -j dev eswitch show pci/0000:01:00.0"] = 1, "", words
    assert lacks(ask(card, commands)) == {}


def test_a_driver_that_knows_devlink_and_has_no_switch_is_told_without_a_mode(card: Tree) -> None:
    """As the kernel tells of i40e, which has devlink for other things."""
    commands = Commands([link("enp1s0", vfs=4)])
    commands.refusals["devlink -j dev eswitch show pci/0000:01:00.0"] = 0, '{"dev":{"pci/0000:01:00.0":{}}}', ""
    sriov = ask(card, commands)
    assert (sriov["pfs"][0]["eswitch_mode"], lacks(sriov)) == (None, {})


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (OSError(errno.ENOENT, "No such file or directory"), "the command devlink does not run: No such file or directory (install iproute2)"),
        ((0, "{}", ""), "devlink gave an answer that makes no sense: '{}'"),
        ((1, "", "kernel answers: Permission denied"), "kernel answers: Permission denied"),
    ],
)
def test_when_devlink_fails_the_mode_is_missing(card: Tree, refusal: Any, reason: str) -> None:
    commands = Commands([link("enp1s0", vfs=4)])
    commands.refusals["devlink -j dev eswitch show pci/0000:01:00.0"] = refusal
    assert lacks(ask(card, commands)) == {"eswitch_mode": reason}


def configuration_space(*capabilities: bytes) -> bytes:
    space = bytearray(256)
    space[0x06] = 0x10
    position = space[0x34] = 0x40
    for capability in capabilities:
        space[position : position + len(capability)] = capability
        following = position + 0x10
        space[position + 1] = following if capability is not capabilities[-1] else 0
        position = following
    return bytes(space)


def changed(space: bytes, place: int, byte: int) -> bytes:
    return space[:place] + bytes([byte]) + space[place + 1 :]


POWER_MANAGEMENT, MSIX_OF_5 = bytes([0x01, 0, 3, 0]), bytes([0x11, 0, 4, 0x80])


@pytest.mark.parametrize(
    ("space", "count", "reason"),
    [
        (configuration_space(POWER_MANAGEMENT, MSIX_OF_5), 5, None),
        (configuration_space(POWER_MANAGEMENT), None, None),
        (configuration_space(bytes([0x11, 0, 0xFF, 0xFF])), 2048, None),
        (configuration_space(bytes([0x11, 0, 0, 0])), 1, None),
        # Nobody looks where the status says that there are no capabilities; the lowest bits of where they are mean nothing; and no list is without end.
        (changed(configuration_space(MSIX_OF_5), 0x06, 0xEF), None, None),
        (changed(configuration_space(MSIX_OF_5), 0x34, 0x43), 5, None),
        (changed(configuration_space(POWER_MANAGEMENT), 0x41, 0x40), None, "config cannot be read: the device does not answer"),
        (bytes(256), None, None),
        (configuration_space(MSIX_OF_5)[:64], None, "config cannot be read: only root may read the capabilities"),
        (b"\xff" * 256, None, "config cannot be read: the device does not answer"),
        (b"", None, "config cannot be read: only root may read the capabilities"),
    ],
)
def test_msix_vectors_are_counted_in_the_configuration_space(card: Tree, space: bytes, count: int | None, reason: str | None) -> None:
    (card.root / "bus/pci/devices/0000:01:10.0/config").write_bytes(space)
    sriov = ask(card, Commands([link("enp1s0", vfs=4)]))
    assert sriov["pfs"][0]["vfs"][0]["msix_count"] == count
    assert lacks(sriov) == ({"vfs[0].msix_count": reason} if reason else {})


def names(card: Tree, udev: Path | None) -> tuple[Any, ...]:
    sriov = gather(None, CONFIG, Commands([link("enp1s0", vfs=4)]).run, Sysfs(str(card.root), str(udev) if udev else None))
    (pf,) = sriov["pfs"]
    return pf["vendor"], pf["model"], {entry["part"]: entry["reason"] for entry in sriov["incomplete"]}


def test_vendor_and_model_are_what_udev_found_in_its_database(card: Tree, udev: Path) -> None:
    kept = "I:4621867\nE:ID_VENDOR_FROM_DATABASE=Intel Corporation\nE:ID_MODEL_FROM_DATABASE=82576 Gigabit = Network Connection\nV:1\n"
    (udev / "data/+pci:0000:01:00.0").write_text(kept)
    assert names(card, udev) == ("Intel Corporation", "82576 Gigabit = Network Connection", {})


def test_a_card_that_the_database_does_not_know_has_no_names_and_nothing_lacks(card: Tree, udev: Path) -> None:
    (udev / "data/+pci:0000:01:00.0").write_text("I:4621867\n")
    assert names(card, udev) == (None, None, {})


def test_vendor_and_model_are_missed_where_udev_did_not_look_or_is_not(card: Tree, udev: Path) -> None:
    reason = "udev has not looked the device up: No such file or directory"
    assert names(card, udev) == (None, None, {"vendor": reason, "model": reason})
    reason = "udev, which keeps the hardware database, is not running"
    assert names(card, None) == (None, None, {"vendor": reason, "model": reason})
