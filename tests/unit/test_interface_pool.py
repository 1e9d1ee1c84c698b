# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.vfpool.sriov.plugins.filter.interface_pool import FilterModule
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather, subsets
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Tree

interface_pool = FilterModule().filters()["interface_pool"]


def no_ip(command: list[str]) -> tuple[int, str, str]:
    return 1, "", "Device does not exist."


def facts(tree: Tree) -> dict:
    return gather(None, subsets(["min"]), no_ip, Sysfs(str(tree.root)))


@pytest.fixture
def two_cards(tree: Tree) -> Tree:
    tree.pf("enp1s0", "0000:01:00.0", vfs=16)
    tree.pf("enp2s0", "0001:02:00.0", vfs=4)
    return tree


def card(tree: Tree, address: str) -> PF:
    function = tree.functions[address]
    assert isinstance(function, PF)
    return function


def test_a_pf_becomes_the_pool_of_its_vfs_in_numeric_order(two_cards: Tree) -> None:
    assert interface_pool(facts(two_cards), "enp1s0") == [f"enp1s0v{index}" for index in range(16)]


def test_a_range_chooses_vfs(two_cards: Tree) -> None:
    assert interface_pool(facts(two_cards), "enp1s0", "0-1,10") == ["enp1s0v0", "enp1s0v1", "enp1s0v10"]


def test_a_pool_by_pci_address_holds_nameless_vfs_too(two_cards: Tree) -> None:
    card(two_cards, "0001:02:00.0").vf(1).nameless()
    sriov = facts(two_cards)
    assert interface_pool(sriov, "0001:02:00.0") == ["enp2s0v0", "enp2s0v2", "enp2s0v3"]
    assert interface_pool(sriov, "0001:02:00.0", by="pci_address") == [vf["pci_address"] for vf in sriov["pfs"][1]["vfs"]]


def test_a_nameless_vf_can_be_an_error_that_names_it(two_cards: Tree) -> None:
    card(two_cards, "0001:02:00.0").vf(1).nameless()
    with pytest.raises(AnsibleFilterError, match=r"VF 1 of enp2s0 \(0001:02:00.0\) has no interface"):
        interface_pool(facts(two_cards), "enp2s0", nameless="fail")


def test_one_pf_of_the_facts_is_an_input_of_its_own(two_cards: Tree) -> None:
    assert interface_pool(facts(two_cards)["pfs"][1], vfs="3") == ["enp2s0v3"]


def test_the_only_pf_need_not_be_named(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    assert interface_pool(facts(tree)) == ["enp1s0v0", "enp1s0v1"]


def test_one_of_several_pfs_must_be_named(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match=r"2 PFs \(enp1s0 \(0000:01:00.0\), enp2s0 \(0001:02:00.0\)\): say which"):
        interface_pool(facts(two_cards))


@pytest.mark.parametrize("pf", [None, "enp1s0"])
def test_a_host_without_a_pf_is_told_with_the_remedy(tree: Tree, pf: str | None) -> None:
    with pytest.raises(AnsibleFilterError, match="load the card's driver, and switch SR-IOV on in the firmware.$"):
        interface_pool(facts(tree), pf)


@pytest.mark.parametrize("pf", [None, "enp1s0"])
def test_a_host_whose_pfs_could_not_be_read_is_not_said_to_have_none(tree: Tree, pf: str | None) -> None:
    devices = tree.root / "bus/pci/devices"
    devices.rmdir()
    devices.symlink_to("devices")
    with pytest.raises(AnsibleFilterError, match=r"The facts may lack PFs \(bus/pci/devices cannot be read: Too many levels of symbolic links\): gather them"):
        interface_pool(facts(tree), pf)


def test_an_unknown_pf_is_refused_with_the_pfs_there_are(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match=r"'enp9s0'.*enp1s0 \(0000:01:00.0\), enp2s0"):
        interface_pool(facts(two_cards), "enp9s0")


def test_a_vf_is_no_pf_and_the_message_names_its_pf(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match=r"'enp1s0v3' is a VF of enp1s0"):
        interface_pool(facts(two_cards), "enp1s0v3")


def test_an_index_that_does_not_exist_is_refused_with_those_that_do(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match=r"names VF 4-5, but enp2s0 \(0001:02:00.0\) has the VFs 0-3"):
        interface_pool(facts(two_cards), "enp2s0", "3-5")


def test_an_index_of_a_pf_without_vfs_says_that_there_are_none(tree: Tree) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=0)
    with pytest.raises(AnsibleFilterError, match="has no VFs"):
        interface_pool(facts(tree), vfs="0")


@pytest.mark.parametrize("vfs", ["0-", "x", "3-1", "1,1"])
def test_a_malformed_range_is_refused(two_cards: Tree, vfs: str) -> None:
    with pytest.raises(AnsibleFilterError, match="interface_pool: vfs"):
        interface_pool(facts(two_cards), "enp1s0", vfs)


@pytest.mark.parametrize(("option", "value"), [("by", "mac"), ("nameless", "keep")])
def test_an_unknown_choice_is_refused_with_the_known_ones(two_cards: Tree, option: str, value: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"{option} is '{value}', but must be one of"):
        interface_pool(facts(two_cards), "enp1s0", **{option: value})


def test_a_pf_that_yaml_made_a_number_is_refused(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match="pf is 525400, but must be .* in quotes"):
        interface_pool(facts(two_cards), 525400)


@pytest.mark.parametrize("wrong", [None, "enp1s0", [], {}, {"enp1s0": {}}, {"vfs": []}])
def test_an_input_that_is_no_facts_names_the_module_that_gathers_them(wrong: object) -> None:
    with pytest.raises(AnsibleFilterError, match="run vfpool.sriov.sriov_vf_facts first"):
        interface_pool(wrong)


def test_a_vf_of_unknown_use_is_no_free_vf(two_cards: Tree) -> None:
    with pytest.raises(AnsibleFilterError, match="Whether VF 0-3 of enp2s0 .* is in use is not known"):
        interface_pool(facts(two_cards), "enp2s0", unused=True)


def test_only_the_vfs_asked_for_need_be_known(two_cards: Tree) -> None:
    sriov = facts(two_cards)
    held = {"kind": "libvirt_port", "name": "guest", "uuid": None, "network": "fast"}
    for vf, users in zip(sriov["pfs"][1]["vfs"], ([], [held], [], None)):
        vf["used_by"] = users
    assert interface_pool(sriov, "enp2s0", "0-2", unused=True) == ["enp2s0v0", "enp2s0v2"]


def test_facts_that_lack_vfs_make_no_pool_of_the_rest(two_cards: Tree) -> None:
    card(two_cards, "0001:02:00.0").remove_vf(2)
    sriov = facts(two_cards)
    with pytest.raises(AnsibleFilterError, match=r"may lack VFs of enp2s0 .*sriov_numvfs is 4, but there are 3 links.*gather them again"):
        interface_pool(sriov, "enp2s0")
    assert interface_pool(sriov, "enp2s0", "0-1") == ["enp2s0v0", "enp2s0v1"]


def test_a_vf_that_udev_has_not_named_yet_is_missed_only_where_names_are_wanted(two_cards: Tree, tmp_path: Path) -> None:
    card(two_cards, "0001:02:00.0").vf(1).renamed("eth0")
    udev = tmp_path / "udev"
    udev.mkdir()
    (udev / "control").touch()
    sriov = gather(None, subsets(["min"]), no_ip, Sysfs(str(two_cards.root), str(udev)))
    with pytest.raises(AnsibleFilterError, match=r"Not known is vfs\[1\].name of enp2s0 .*udev has not finished"):
        interface_pool(sriov, "enp2s0")
    assert interface_pool(sriov, "enp2s0", "0,2") == ["enp2s0v0", "enp2s0v2"]
    assert len(interface_pool(sriov, "enp2s0", by="pci_address")) == 4


def test_what_another_pf_lacks_is_no_matter(two_cards: Tree) -> None:
    card(two_cards, "0001:02:00.0").remove_vf(2)
    assert len(interface_pool(facts(two_cards), "enp1s0")) == 16
