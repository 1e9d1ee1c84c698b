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
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Function, Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.test_facts import MSIX_OF_5, configuration_space

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
# "astray" is a link that leads nowhere; a driver may have any name. "" stands for a whole VF.
KINDS = {
    "total_vfs": ("unreadable", "malformed"), "driver": ("malformed", "absent"), "iommu_group": ("malformed", "absent", "astray"),
    "": ("malformed", "astray"),
}  # fmt: skip
# What ip or devlink may say instead of an answer.
NO_ANSWERS = ((0, "what?", ""), (0, "{", ""), (0, "[7]", ""), (1, "", ""), (2, "", "RTNETLINK answers: Message too long\n"), OSError(2, "No such file"))
OTHER = "0000:81:00.0"


class Damage(NamedTuple):
    """What is done to one file of a PF (``vf`` None) or VF, and whether it has to be named."""

    vf: int | None
    key: str
    file: str
    kind: str
    content: bytes
    named: bool


@st.composite
def cards(draw: st.DrawFn) -> dict:
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
def damages(draw: st.DrawFn, card: dict) -> list[Damage]:
    def damage(vf: int | None, key: str, file: str, optional: bool) -> Damage:
        kind = draw(st.sampled_from(KINDS.get(key, ("unreadable", "malformed", "absent"))))
        return Damage(vf, key, file, kind, draw(st.sampled_from(NONSENSE)), kind != "absent" or not optional)

    choices: list[tuple[int | None, str, str, bool]] = [(None, key, file, optional) for key, (file, optional) in PF_FILES.items()]
    if card["name"]:
        choices += [(None, key, f"PORT/{file}", optional) for key, (file, optional) in PORT_FILES.items()]
    for index in range(card["vfs"]):
        if card["vf_name"]:
            choices += [(index, key, f"PORT/{file}", optional) for key, (file, optional) in VF_PORT_FILES.items()]
        choices += [(index, key, file, True) for key, file in VF_LINKS.items()]
        choices += [(index, "msix_count", "config", True), (index, "", f"virtfn{index}", False)]
    chosen = draw(st.lists(st.sampled_from(choices), max_size=6, unique_by=lambda choice: choice[:2]))
    return [damage(*choice) for choice in chosen]


class Host(NamedTuple):
    """A card and what is wrong with it: files, VFs that are just not there, VFs that rtnetlink leaves out, what ip and devlink say instead."""

    card: dict
    struck: list[Damage]
    removed: list[int]
    cut: list[int]
    ip: Any
    devlink: Any


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    card = draw(cards())
    indices = st.lists(st.integers(0, card["vfs"] - 1), unique=True, max_size=2) if card["vfs"] else st.just([])
    answer = st.one_of(st.none(), st.none(), st.sampled_from(NO_ANSWERS))
    return Host(card, draw(damages(card)), draw(indices), draw(indices), draw(answer), draw(answer))


def strike(function: Function, damage: Damage) -> None:
    file = damage.file
    if file.startswith("PORT/"):
        net = Path(function.virtio, "net")
        (port,) = (function.folder / net).iterdir()
        file = str(net / port.name / file[len("PORT/") :])
    if damage.kind == "absent":
        function.absent(file)
    elif damage.kind == "astray":
        (function.absent(file).folder / file).symlink_to("../astray")
    elif damage.kind == "unreadable":
        function.unreadable(file)
    else:
        function.malformed(file, content=damage.content)


def commands(pf: PF, host: Host | None = None) -> Commands:
    """The commands ip and devlink of a host with this card, damaged as told, and with a second one."""
    told = [{"vf": index, "address": "02:00:00:00:00:01", "vlan_list": [{}], "rate": {}} for index in pf.vfs if not host or index not in host.cut]
    links = [{"ifname": pf.name, "altnames": ["alias"], "vfinfo_list": told}] if pf.name else []
    vf = {"vf": 0, "address": "02:00:00:00:00:02", "vlan_list": [{}], "rate": {}}
    system = Commands([*links, {"ifname": "other", "altnames": [], "vfinfo_list": [vf]}], {pf.address: "switchdev"})
    if host and host.ip:
        show = "ip -json -details address show"
        system.refusals |= dict.fromkeys((show, f"{show} novf", f"{show} dev {pf.name}", f"{show} dev other"), host.ip)
    if host and host.devlink:
        system.refusals[f"devlink -j dev eswitch show pci/{pf.address}"] = host.devlink
    return system


def ask(tree: Tree, system: Commands) -> dict:
    return gather(None, frozenset({"min", "config"}), system.run, Sysfs(str(tree.root)))


def named_parts(sriov: dict, pf: str) -> set[tuple[int | None, str]]:
    """What `incomplete` names of a PF, by VF index and key."""
    named: set[tuple[int | None, str]] = set()
    for entry in sriov["incomplete"]:
        if entry["pf"] in (pf, None):
            match = re.fullmatch(r"vfs\[(.+)\](?:\.(.+))?", entry["part"])
            named |= {(index, match[2] or "") for index in parse_ranges(match[1])} if match else {(None, entry["part"])}
    return named


def build(folder: str, card: dict) -> tuple[Tree, PF]:
    tree = Tree(Path(folder))
    tree.pf("other", OTHER, vfs=1)
    pf = tree.pf(card["name"], "0000:01:00.0", **{key: value for key, value in card.items() if key != "name"})
    for vf in pf.vfs.values():
        vf.malformed("config", content=configuration_space(MSIX_OF_5))
    return tree, pf


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hosts())
def test_whatever_is_damaged_nothing_is_invented_and_everything_that_lacks_is_named(host: Host) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree, pf = build(folder, host.card)
        truth = copy.deepcopy(ask(tree, commands(pf)))
        for index in host.removed:
            pf.remove_vf(index)
        struck = [damage for damage in host.struck if damage.vf not in host.removed]
        for damage in struck:
            strike(pf if damage.vf is None or damage.file.startswith("virtfn") else pf.vf(damage.vf), damage)
        sriov = ask(tree, commands(pf, host))

    (found, other), (was, other_was) = sriov["pfs"], truth["pfs"]
    assert named_parts(truth, pf.address) <= {(None, "vendor"), (None, "model")} | no_configuration(host.card), "damage was named where there is none"
    assert {entry["pf"] for entry in sriov["incomplete"]} <= {pf.address, OTHER, None}
    assert host.ip or other == other_was, "damage to one card changed another"
    assert [vf["index"] for vf in found["vfs"]] == [vf["index"] for vf in was["vfs"] if vf["index"] not in host.removed]
    named = named_parts(sriov, pf.address)
    nothing_is_invented(found, was, named | {(damage.vf, damage.key) for damage in struck if not damage.named})
    vfs = {vf["index"]: vf for vf in found["vfs"]}
    lacks = {(damage.vf, damage.key) for damage in struck if damage.named} | without_answers(host, set(vfs))
    for vf, key in lacks:
        assert (found if vf is None else vfs[vf])[key or "pci_address"] is None
    lacks |= {(None, "vfs")} if host.removed and found["num_vfs"] is not None else set()
    assert {(vf, key) for vf, key in lacks if (vf, "") not in named} <= named


def nothing_is_invented(found: dict, was: dict, may_lack: set[tuple[int | None, str]]) -> None:
    """Every value is the true one, or null where it may lack."""
    vfs = {vf["index"]: vf for vf in was["vfs"]}
    for index, is_, true in [(None, found, was), *((vf["index"], vf, vfs[vf["index"]]) for vf in found["vfs"])]:
        assert is_.keys() == true.keys()
        for key in set(true) - {"vfs"}:
            if is_[key] != true[key]:
                assert is_[key] is None, f"{key} of VF {index} was invented"
                assert {(index, key), (index, "")} & may_lack, f"{key} of VF {index} is missing and not named"


def without_answers(host: Host, there: set[int]) -> set[tuple[int | None, str]]:
    """What lacks because ip or devlink did not tell it."""
    lacks: set[tuple[int | None, str]] = {(index, "config") for index in (there if host.ip else there & set(host.cut))}
    lacks |= {(None, "eswitch_mode")} if host.devlink else set()
    return lacks | ({(None, "altnames")} if host.ip and host.card["name"] else set())


def no_configuration(card: dict) -> set[tuple[int | None, str]]:
    """Without an interface of its PF, no VF's configuration can be read."""
    return set() if card["name"] else {(index, "config") for index in range(card["vfs"])}
