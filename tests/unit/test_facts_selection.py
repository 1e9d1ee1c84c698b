# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PFs and which subsets the facts are of, and what they cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import subsets
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.test_facts import EVERYTHING, MIN, ask, lacks, link


@pytest.fixture
def card(tree: Tree) -> Tree:
    tree.pf("enp1s0", "0000:01:00.0", vfs=4, mac="52:54:00:aa:00:01")
    return tree


@pytest.mark.parametrize("selector", ["enp2s0", "altenp2s0", "0000:02:00.0", "02:00.0", "52:54:00:AA:00:02"])
def test_a_pf_is_selected_by_any_of_its_names(card: Tree, selector: str) -> None:
    card.pf("enp2s0", "0000:02:00.0", mac="52:54:00:aa:00:02")
    sriov = ask(card, Commands([link("enp1s0"), link("enp2s0")]), MIN, [selector])
    assert [pf["name"] for pf in sriov["pfs"]] == ["enp2s0"]


def test_what_other_pfs_lack_is_not_told(card: Tree) -> None:
    card.pf("enp2s0", "0000:02:00.0", mac="52:54:00:aa:00:02").unreadable("numa_node")
    assert lacks(ask(card, Commands([link("enp1s0"), link("enp2s0")]), MIN, ["enp1s0"])) == {}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("nosuch", r"No PF of this host is 'nosuch' \(no interface has that name, and no PF has that altname\): the PFs are enp1s0 \(0000:01:00.0\)\.$"),
        ("0000:09:00.0", r"No PF of this host is '0000:09:00.0' \(no PCI device has that address\): the PFs are"),
        ("52:54:00:00:00:99", r"No PF of this host is '52:54:00:00:00:99': the PFs are"),
        ("br0", r"No PF of this host is 'br0' \(an interface that stands on no PCI device\)"),
        ("eno1", r"'eno1' \(a card, 0000:00:1f.6 with driver e1000e, that has no SR-IOV or whose firmware has it switched off\)"),
        ("eth9", r"'eth9' \(a card, 0000:00:03.0 with driver virtio-pci, that has no SR-IOV"),
        ("0000:00:1f.6", r"'0000:00:1f.6' \(a card, 0000:00:1f.6 with driver e1000e, that has no SR-IOV"),
        ("enp1s0d1", r"'enp1s0d1' \(one more interface on the PF enp1s0 \(0000:01:00.0\)\)"),
        ("en1sf0", r"'en1sf0' \(one more interface on the PF enp1s0 \(0000:01:00.0\)\)"),
        ("bonding_masters", r"'bonding_masters' \(an interface that stands on no PCI device\)"),
        ("0000:01:10.2", r"'0000:01:10.2' is a VF of enp1s0 \(0000:01:00.0\), not a PF: the PFs are enp1s0 \(0000:01:00.0\)\.$"),
        ("enp1s0v1", r"'enp1s0v1' is a VF of enp1s0 \(0000:01:00.0\), not a PF"),
        ("60.0", r"No PF of this host is '60.0' \(YAML makes numbers of some MAC and PCI addresses, which therefore need quotation marks\): "),
        ("../net/pf0", r"'../net/pf0' is neither an interface name nor a PCI address nor a MAC address: the PFs are enp1s0 \(0000:01:00.0\)\.$"),
        (" enp1s0", r"' enp1s0' is neither an interface name nor a PCI address nor a MAC address: the PFs are enp1s0 \(0000:01:00.0\)\.$"),
    ],
)
def test_a_selector_that_fits_no_pf_says_what_there_is(card: Tree, selector: str, message: str) -> None:
    card.virtual("br0").function("0000:00:1f.6", name="eno1", driver="e1000e")
    card.function("0000:00:03.0", name="eth9", driver="virtio-pci", virtio=True)
    pf = card.functions["0000:01:00.0"].named("enp1s0d1", dev_port=1)
    subfunction = Path(pf.path, "mlx5_core.sf.2/net/en1sf0")
    subfunction.mkdir(parents=True)
    (card.root / "class/net/en1sf0").symlink_to(subfunction)
    (card.root / "class/net/bonding_masters").touch()
    with pytest.raises(SriovError, match=message):
        ask(card, Commands([link("enp1s0")]), MIN, [selector])


def test_a_mac_address_that_fits_none_may_be_that_of_a_pf_whose_interface_is_elsewhere(card: Tree) -> None:
    card.pf("enp2s0", "0000:02:00.0").elsewhere()
    card.pf(None, "0000:03:00.0")
    message = r"'52:54:00:00:00:99' \(that of 0000:02:00.0 is not known, as the interface was moved to another network namespace\): the PFs are"
    with pytest.raises(SriovError, match=message):
        ask(card, Commands([link("enp1s0")]), MIN, ["52:54:00:00:00:99"])


def test_a_selector_that_fits_two_pfs_asks_for_an_address(card: Tree) -> None:
    card.pf("enp2s0", "0000:02:00.0", mac="52:54:00:aa:00:01")
    with pytest.raises(SriovError, match=r"fits more than one PF \(enp1s0 \(0000:01:00.0\), enp2s0 \(0000:02:00.0\)\)"):
        ask(card, Commands([link("enp1s0"), link("enp2s0")]), MIN, ["52:54:00:aa:00:01"])


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["all"], {"min", "config", "usage"}),
        ([], {"min", "config", "usage"}),
        (["min"], {"min"}),
        (["config"], {"min", "config"}),
        (["all", "min"], {"min", "config", "usage"}),
        (["!usage"], {"min", "config"}),
        (["all", "!config"], {"min", "usage"}),
        (["!all"], {"min"}),
        (["!all", "!min"], {"min"}),
        (["!all", "usage"], {"min", "usage"}),
        (["usage", "!usage"], {"min", "usage"}),
    ],
)
def test_subsets_add_and_subtract_as_those_of_setup(asked: list[str], meant: set[str]) -> None:
    assert subsets(asked) == meant


def test_what_was_not_asked_for_is_null_and_not_incomplete(card: Tree) -> None:
    sriov = ask(card, Commands([link("enp1s0", vfs=4)]), MIN)
    assert (sriov["incomplete"], sriov["pfs"][0]["vendor"]) == ([], None)
    assert [(vf["config"], vf["used_by"], vf["msix_count"]) for vf in sriov["pfs"][0]["vfs"]] == [(None, None, None)] * 4


# Cost


def test_there_is_one_process_for_the_host_and_one_for_each_pf(card: Tree) -> None:
    card.pf("enp2s0", "0000:02:00.0", vfs=256, stride=1)
    commands = Commands([link("enp1s0", vfs=4), link("enp2s0", vfs=256)])
    ask(card, commands)
    assert commands.asked == [EVERYTHING, "devlink -j dev eswitch show pci/0000:01:00.0", "devlink -j dev eswitch show pci/0000:02:00.0"]


def test_a_host_without_sriov_costs_no_process(tree: Tree) -> None:
    commands = Commands([link("eth0")])
    assert ask(tree, commands) == {"pfs": [], "incomplete": []}
    with pytest.raises(SriovError, match="the host has none, so load the card's driver"):
        ask(tree, commands, MIN, ["enp1s0"])
    assert commands.asked == []


def test_a_subset_imports_no_library_that_it_does_not_need() -> None:
    program = (
        "import sys\n"
        "from ansible.module_utils import basic\n"  # every module pays for this one
        "paid = set(sys.modules)\n"
        "from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather\n"
        "dear = {'libvirt', 'lxml', 'pyudev', 'yaml', 'dataclasses', 'pyroute2', 'xml.etree.ElementTree'}\n"
        "print(sorted(dear & (set(sys.modules) - paid)))"
    )
    collections = Path(__file__).resolve().parents[2] / ".collections"
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(collections)}, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_256_vfs_without_configuration_fit_into_64_kib(tree: Tree) -> None:
    tree.pf("enp129s0f0", "0000:81:00.0", vfs=256, stride=1)
    sriov = ask(tree, Commands([link("enp129s0f0")]), MIN)
    for vf in sriov["pfs"][0]["vfs"]:
        vf["used_by"] = []
    assert len(json.dumps(sriov)) <= 64 * 1024


def test_a_pf_and_its_vf_that_lack_the_same_are_both_named() -> None:
    incomplete = Incomplete()
    incomplete.note("mac", "0000:01:00.0", "Input/output error", vf=0)
    incomplete.note("mac", "0000:01:00.0", "Input/output error")
    assert [entry["part"] for entry in incomplete.entries()] == ["vfs[0].mac", "mac"]
