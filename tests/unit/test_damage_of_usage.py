# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random hosts with holders, of which whole folders are damaged, and udev: no traceback, no invented value or holder, and every damage named."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF, Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.test_damage import named_parts
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import ANSWERS, UUID, daemon, number, reply, text

# Any name that the kernel takes; of the second, udev has to say that it stays.
NAMES = ("enp1s0", "eth7", "\u00e4\u00f6\u00fc", '"x"', "{0}%s", "-j", "a\udcff", "vf")
PORT = "<networkport><owner><name>web1</name><uuid>u</uuid></owner><plug type='hostdev-pci'><address bus='1' slot='0x10' function='0x2'/></plug></networkport>"
ALL = frozenset({"min", "config", "usage"})
HOST_FOLDERS = ("class/net", "class/infiniband", "class/infiniband_verbs", "bus/vdpa/devices", "bus/pci/drivers/igbvf", "bus/pci/devices")
VF_FOLDERS = ("net", "vfio-dev", "uio")
PORT_FILES = ("ifindex", "phys_port_name", "addr_assign_type", "dev_port")
UDEV = ("control", "data", "data/+pci:0000:01:00.0", "data/n2", "data/n3")
# A host can be without these: a VF without an interface, a kernel without the number of the port, a machine without PCI.
NO_DAMAGE = [(name, kind) for name in ("net", "devices") for kind in ("absent", "folder", "file")] + [("dev_port", "absent")]
NONSENSE = b"\xff\xfe\nE:ID_MODEL_FROM_DATABASE=\xff\n"


class Damage(NamedTuple):
    """A file or folder below the sysfs tree or udev's folder, and what becomes of it."""

    place: str
    kind: str


class Host(NamedTuple):
    name: str
    states: list[str]  # of the VFs: plain, vfio, moved
    udev: bool
    verbs: bool
    damages: list[Damage]


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    states = draw(st.lists(st.sampled_from(["plain", "vfio", "moved"]), max_size=5))
    places = [f"sys/{folder}" for folder in HOST_FOLDERS] + [f"udev/{entry}" for entry in UDEV]
    places += [f"sys/bus/pci/devices/0000:01:10.{index * 2}/{folder}" for index in range(min(len(states), 4)) for folder in VF_FOLDERS]
    places += [f"PORT/{file}" for file in PORT_FILES]
    damage = st.builds(Damage, st.sampled_from(places), st.sampled_from(["loop", "absent", "folder", "file"]))
    damages = draw(st.lists(damage.filter(lambda damage: (damage.place.split("/")[-1], damage.kind) not in NO_DAMAGE), max_size=3))
    return Host(draw(st.sampled_from(NAMES)), states, draw(st.booleans()), draw(st.booleans()), damages)


def strike(root: Path, host: Host, damage: Damage) -> None:
    place = root / damage.place if not damage.place.startswith("PORT/") else root / f"sys/bus/pci/devices/0000:01:00.0/net/{host.name}" / damage.place[5:]
    if not place.parent.is_dir():
        return
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    if damage.kind == "loop":
        place.symlink_to(place.name)
    elif damage.kind == "folder":
        place.mkdir()
    elif damage.kind == "file":
        place.write_bytes(NONSENSE)


def build(root: Path, host: Host) -> tuple[Tree, PF]:
    tree = Tree(root / "sys")
    pf = tree.pf(host.name, "0000:01:00.0", vfs=len(host.states), vf_name="v{index}")
    for index, state in enumerate(host.states):
        vf = pf.vf(index)
        if state == "moved":
            vf.elsewhere()
        elif state == "vfio":
            vf.nameless().bound_to("vfio-pci")
            (vf.folder / f"vfio-dev/vfio{index}").mkdir(parents=True)
    if host.verbs and host.states:
        (tree.root / "class/infiniband_verbs").mkdir()
        (pf.vf(0).folder / "infiniband_verbs/uverbs0").mkdir(parents=True)
        (tree.root / "class/infiniband_verbs/uverbs0").symlink_to(f"../../bus/pci/devices/{pf.vf(0).address}/infiniband_verbs/uverbs0")
    if host.udev:
        (root / "udev/data").mkdir(parents=True)
        (root / "udev/control").touch()
        (root / "udev/data/n2").touch()
        (root / "udev/data/+pci:0000:01:00.0").write_text("E:ID_VENDOR_FROM_DATABASE=Intel Corporation\nE:ID_MODEL_FROM_DATABASE=82576\n")
    return tree, pf


def commands(host: Host) -> Commands:
    vf = {"address": "02:00:00:00:00:01", "vlan_list": [{}], "rate": {}}
    links: list[dict[str, Any]] = [{"ifname": host.name, "altnames": ["alias"], "vfinfo_list": [{"vf": index, **vf} for index in range(len(host.states))]}]
    links += [{"ifname": f"v{index}"} for index, state in enumerate(host.states) if state == "plain"]
    held = [index for index in (0, 3) if host.states[index : index + 1] == ["plain"]]
    return Commands([*links, *({"ifname": f"macvtap{index}", "link": f"v{index}", "linkinfo": {"info_kind": "macvtap"}} for index in held)])


@pytest.fixture(autouse=True, scope="module")
def others() -> Iterator[None]:
    """A libvirt with one lease, of VF 1 by its PCI address; no other namespace is looked into."""
    lease = {283: number(1) + text("pool") + UUID, 409: text(PORT), 273: number(0)}
    with daemon(lambda procedure, serial: reply(procedure, serial, lease.get(procedure, ANSWERS[procedure]))) as sockets, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_guests, "_SOCKETS", sockets)
        patch.setattr(_namespaces, "_PROC", sockets)
        yield


def ask(root: Path, host: Host) -> dict[str, Any]:
    return gather(None, ALL, commands(host).run, Sysfs(str(root / "sys"), str(root / "udev")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(Host("enp1s0", ["plain"], udev=False, verbs=False, damages=[Damage("sys/class/net", "loop")]))
@example(Host("enp1s0", ["plain"], udev=False, verbs=False, damages=[Damage("sys/class/net", "absent")]))
@example(Host("a\udcff", [], udev=False, verbs=False, damages=[Damage("PORT/addr_assign_type", "absent")]))
@example(Host("enp1s0", [], udev=True, verbs=False, damages=[Damage("udev/data/+pci:0000:01:00.0", "file")]))
@given(hosts())
def test_whatever_folder_is_damaged_no_holder_is_invented_and_none_that_lacks_is_kept_quiet(host: Host) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root, host)
        truth = copy.deepcopy(ask(root, host))
        for damage in host.damages:
            strike(root, host, damage)
        sriov = ask(root, host)
    named = named_parts(sriov, "0000:01:00.0")
    if not sriov["pfs"]:
        assert (None, "pfs") in named
        return
    (found,), (was,) = sriov["pfs"], truth["pfs"]
    nothing_is_invented(None, found, was, named)
    for vf, true in zip(found["vfs"], was["vfs"]):
        nothing_is_invented(vf["index"], vf, true, named)
        if vf["used_by"] != true["used_by"]:
            assert (vf["index"], "used_by") in named, f"holders of VF {vf['index']} are missing and not named: {vf['used_by']}"
            assert vf["used_by"] is None or (vf["used_by"] and all(entry in true["used_by"] for entry in vf["used_by"])), "a holder was invented"


def nothing_is_invented(vf: int | None, is_: dict[str, Any], true: dict[str, Any], named: set[tuple[int | None, str]]) -> None:
    """Every value but the holders is the true one, or null and named; with the names of interfaces all is named that is read through them."""
    for key in set(true) - {"vfs", "used_by", "other_interfaces"}:
        if is_[key] != true[key]:
            assert is_[key] is None, f"{key} of VF {vf} was invented: {is_[key]!r}"
            assert {(vf, key), (vf, ""), (None, key), (None, "name")} & named, f"{key} of VF {vf} is missing and not named"
