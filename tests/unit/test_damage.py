# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random hosts, damaged at random: no traceback, no invented value, and every damage named."""

from __future__ import annotations

import copy
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Function, Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands

# Nothing that the kernel would write into any of the files.
NONSENSE = (b"", b"\n", b"what?\n", b"\xff\xfe\x00\n", b"--1\n", b"0x\n", b"1 2\n", b"52:54\n52:54\n")

# Each file by the key that it brings, and whether a kernel may be without it.
PF_FILES = {
    "vendor_id": ("vendor", False), "device_id": ("device", False), "numa_node": ("numa_node", True), "total_vfs": ("sriov_totalvfs", False),
    "num_vfs": ("sriov_numvfs", False), "vf_offset": ("sriov_offset", True), "vf_stride": ("sriov_stride", True),
    "vf_device_id": ("sriov_vf_device", True), "drivers_autoprobe": ("sriov_drivers_autoprobe", True), "vf_total_msix": ("sriov_vf_total_msix", True),
}  # fmt: skip
PORT_FILES = {"mac": ("address", False), "mtu": ("mtu", False), "operstate": ("operstate", False), "speed": ("speed", True), "dev_port": ("dev_port", True)}
VF_PORT_FILES = {"mac": ("address", False), "operstate": ("operstate", False)}
VF_LINKS = {"driver": "driver", "iommu_group": "iommu_group"}


class Damage(NamedTuple):
    """What is done to one file of a PF (``vf`` None) or VF, and whether it has to be named."""

    vf: int | None
    key: str
    file: str
    kind: str
    content: bytes
    named: bool


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": draw(st.sampled_from(["enp1s0", None])),
        "vfs": draw(st.integers(0, 12)),
        "virtio": draw(st.booleans()),
        "vf_name": draw(st.sampled_from(["{pf}v{index}", "en{pf}x{index}", None])),
        "vf_driver": draw(st.sampled_from(["iavf", "vfio-pci", None])),
        "iommu_group": draw(st.sampled_from([-1, None])),
        "offset": draw(st.integers(1, 300)),
        "stride": draw(st.integers(1, 3)),
    }


@st.composite
def damages(draw: st.DrawFn, card: dict[str, Any]) -> list[Damage]:
    def damage(vf: int | None, key: str, file: str, optional: bool) -> Damage:
        kind = draw(st.sampled_from(["unreadable", "malformed"] + (["absent"] if key != "total_vfs" else [])))
        return Damage(vf, key, file, kind, draw(st.sampled_from(NONSENSE)), kind != "absent" or not optional)

    choices = [(None, key, file, optional) for key, (file, optional) in PF_FILES.items()]
    if card["name"]:
        choices += [(None, key, f"PORT/{file}", optional) for key, (file, optional) in PORT_FILES.items()]
    for index in range(card["vfs"]):
        if card["vf_name"]:
            choices += [(index, key, f"PORT/{file}", optional) for key, (file, optional) in VF_PORT_FILES.items()]
        choices += [(index, key, file, True) for key, file in VF_LINKS.items()]
    chosen = draw(st.lists(st.sampled_from(choices), max_size=6, unique_by=lambda choice: choice[:2]))
    return [damage(*choice) for choice in chosen]


@st.composite
def hosts(draw: st.DrawFn) -> tuple[dict[str, Any], list[Damage], list[int], list[int]]:
    card = draw(cards())
    indices = st.lists(st.integers(0, card["vfs"] - 1), unique=True, max_size=2) if card["vfs"] else st.just([])
    return card, draw(damages(card)), draw(indices), draw(indices)


def strike(function: Function, damage: Damage) -> None:
    file = damage.file
    if file.startswith("PORT/"):
        net = Path(function.virtio, "net")
        (port,) = (function.folder / net).iterdir()
        file = str(net / port.name / file[len("PORT/") :])
    if damage.kind == "absent":
        function.absent(file)
    elif damage.file in VF_LINKS.values():
        # A link cannot hold nonsense; where none is, a file is.
        function.malformed(file)
    elif damage.kind == "unreadable":
        function.unreadable(file)
    else:
        function.malformed(file, content=damage.content)


def links(pf: PF, cut: list[int]) -> list[dict[str, Any]]:
    told = [{"vf": index, "address": "02:00:00:00:00:01", "vlan_list": [{}], "rate": {}} for index in pf.vfs if index not in cut]
    return [{"ifname": pf.name, "altnames": [], "vfinfo_list": told}] if pf.name else []


def ask(tree: Tree, told: list[dict[str, Any]]) -> dict[str, Any]:
    return gather(None, frozenset({"min", "config"}), Commands(told).run, Sysfs(str(tree.root)))


def named_parts(sriov: dict[str, Any]) -> set[tuple[int | None, str]]:
    """What `incomplete` names, by VF index and key."""
    named: set[tuple[int | None, str]] = set()
    for entry in sriov["incomplete"]:
        match = re.fullmatch(r"vfs\[(.+)\](?:\.(.+))?", entry["part"])
        named |= {(index, match[2] or "") for index in parse_ranges(match[1])} if match else {(None, entry["part"])}
    return named


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hosts())
def test_whatever_is_damaged_nothing_is_invented_and_everything_that_lacks_is_named(host: tuple[dict[str, Any], list[Damage], list[int], list[int]]) -> None:
    card, struck, removed, cut = host
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder))
        pf = tree.pf(card.pop("name"), "0000:01:00.0", **card)
        truth = copy.deepcopy(ask(tree, links(pf, [])))["pfs"][0]
        for index in removed:
            pf.remove_vf(index)
        struck = [damage for damage in struck if damage.vf not in removed]
        for damage in struck:
            strike(pf if damage.vf is None else pf.vf(damage.vf), damage)
        sriov = ask(tree, links(pf, cut))

    (found,) = sriov["pfs"]
    named = named_parts(sriov)
    assert {entry["pf"] for entry in sriov["incomplete"]} <= {"0000:01:00.0", None}
    optional = {(damage.vf, damage.key) for damage in struck if not damage.named}
    true_vfs = {vf["index"]: vf for vf in truth["vfs"]}
    pairs = [(None, found, truth)] + [(vf["index"], vf, true_vfs[vf["index"]]) for vf in found["vfs"]]
    for index, is_, was in pairs:
        for key in set(was) - {"vfs"}:
            assert is_[key] in (None, was[key]), f"{key} of VF {index} was invented"
            if is_[key] is None and was[key] is not None and (index, key) not in optional:
                assert (index, key) in named, f"{key} of VF {index} is missing and not named"
    for damage in struck:
        if damage.named:
            part = found if damage.vf is None else next(vf for vf in found["vfs"] if vf["index"] == damage.vf)
            assert part[damage.key] is None
            assert (damage.vf, damage.key) in named
    if removed and found["num_vfs"] is not None:
        assert (None, "vfs") in named
