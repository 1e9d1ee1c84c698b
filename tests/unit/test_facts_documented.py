# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts are what their documentation says: the same keys at every place, and values of the documented types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.plugins.modules.sriov_vf_facts import RETURN
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import daemon, reply

DOCUMENTED = yaml.safe_load(RETURN)["ansible_facts"]["contains"]["sriov"]
TYPES = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}


@pytest.fixture
def sriov(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """The facts of a host where nearly every key has a value."""
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=3)
    pf.vf(0).rdma("mlx5_2").vectors(5)
    pf.vf(1).nameless().bound_to("vfio-pci")
    pf.named("enp1s0_0", phys_port_name="pf0vf0")
    udev = Path(tree.root.parent / "udev")
    (udev / "data").mkdir(parents=True)
    (udev / "control").touch()
    (udev / "data/+pci:0000:01:00.0").write_text("E:ID_VENDOR_FROM_DATABASE=Intel Corporation\nE:ID_MODEL_FROM_DATABASE=82576\n")
    vf = {"vf": 0, "address": "02:00:00:00:00:01", "vlan_list": [{"vlan": 1}], "rate": {"max_tx": 0, "min_tx": 0}, "trust": True, "query_rss_en": True}
    links = [{"ifname": "enp1s0", "altnames": ["wan"], "vfinfo_list": [vf]}, {"ifname": "enp1s0v0", "master": "br0"}]
    with daemon(reply) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        yield gather(None, frozenset({"min", "config", "usage"}), Commands(links, {pf.address: "switchdev"}).run, Sysfs(str(tree.root), str(udev)))


def is_a(kind: str, value: Any) -> bool:
    """Whether a value is of a type as documentation calls it; to Python, a bool is an int too."""
    return isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "bool")


def differences(value: Any, documented: dict, place: str = "sriov") -> Iterator[str]:
    """Where a value is not as documented; null is said to be possible everywhere."""
    if value is None:
        return
    if not is_a(documented["type"], value):
        yield f"{place} is {value!r}, and no {documented['type']}"
    inner = documented.get("contains", {"type": documented.get("elements")})
    for entry in value if isinstance(value, list) else [value]:
        if "contains" not in documented:
            if isinstance(value, list) and not is_a(inner["type"], entry):
                yield f"{place} has {entry!r}, and that is no {inner['type']}"
            continue
        if entry.keys() != inner.keys():
            yield f"{place} has, or lacks, {sorted(entry.keys() ^ inner.keys())}"
        for key in entry.keys() & inner.keys():
            yield from differences(entry[key], inner[key], f"{place}.{key}")


def test_the_facts_have_the_documented_keys_and_types(sriov: dict) -> None:
    assert list(differences(sriov, DOCUMENTED)) == []


def test_a_host_that_has_everything_lacks_no_value(sriov: dict) -> None:
    (pf,) = sriov["pfs"]
    assert [key for key, value in pf.items() if value is None] == []
    assert [key for key, value in pf["vfs"][0].items() if value is None] == []
    assert [entry["part"] for entry in sriov["incomplete"]] == ["vfs[1-2].config", "vfs[2].used_by"]
