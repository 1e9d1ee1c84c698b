# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return is what their documentation says: the same keys at every place, and values of the documented types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.commands import Commands
from ansible_collections.vfpool.sriov.tests.unit.documented import differences, returned_by
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import daemon, reply
from ansible_collections.vfpool.sriov.tests.unit.wishes import foretell

DOCUMENTED = returned_by("sriov_vf_facts")["ansible_facts"]["contains"]["sriov"]


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with daemon(reply) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        yield


@pytest.fixture
def sriov(tree: Tree, udev: Path, guests: None) -> dict:
    """The facts of a host where nearly every key has a value."""
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=3)
    pf.vf(0).rdma("mlx5_2").vectors(5)
    pf.vf(1).nameless().bound_to("vfio-pci")
    pf.named("enp1s0_0", phys_port_name="pf0vf0")
    (udev / "data/+pci:0000:01:00.0").write_text("E:ID_VENDOR_FROM_DATABASE=Intel Corporation\nE:ID_MODEL_FROM_DATABASE=82576\n")
    vf = {"vf": 0, "address": "02:00:00:00:00:01", "vlan_list": [{"vlan": 1}], "rate": {"max_tx": 0, "min_tx": 0}, "trust": True, "query_rss_en": True}
    links = [{"ifname": "enp1s0", "altnames": ["wan"], "vfinfo_list": [vf]}, {"ifname": "enp1s0v0", "master": "br0"}]
    return gather(None, frozenset({"min", "config", "usage"}), Commands(links, {pf.address: "switchdev"}).run, Sysfs(str(tree.root), str(udev)))


def test_the_facts_have_the_documented_keys_and_types(sriov: dict) -> None:
    assert list(differences(sriov, DOCUMENTED, "sriov")) == []


def test_a_host_that_has_everything_lacks_no_value(sriov: dict) -> None:
    (pf,) = sriov["pfs"]
    assert [key for key, value in pf.items() if value is None] == []
    assert [key for key, value in pf["vfs"][0].items() if value is None] == []
    # Some machines hide what their first process has open even from root.
    assert [entry["part"] for entry in sriov["incomplete"] if "cannot be seen" not in entry["reason"]] == ["vfs[1-2].config", "vfs[2].used_by"]


def test_a_run_on_a_pf_returns_what_is_documented(kernel: RecordedKernel, guests: None) -> None:
    documented = returned_by("sriov_pf")
    of_failures = {"vf", "refused"}
    kernel.pf.vf(0).elsewhere()
    result, _warnings = foretell(kernel, num_vfs="2", on_in_use="force")
    assert [entry["kind"] for entry in result["affected"]] == ["netns"]
    assert result.keys() - {"changed"} == documented.keys() - of_failures
    assert [line for key in result.keys() - {"changed"} for line in differences(result[key], documented[key], key)] == []
