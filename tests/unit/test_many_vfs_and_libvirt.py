# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirt sees of a PF with more VFs than the kernel has room for in one attribute of netlink.

Seen with netdevsim as the PF under Linux 6.1 with libvirt 9.0 and under 6.12 with 11.3: of 221 VFs a guest starts with each, of 222 with none, of 256
with the first 34. With the others libvirt says: couldn't find IFLA_VF_INFO for VF 34 in netlink response.
"""

from __future__ import annotations

import lzma
import socket
import struct
from pathlib import Path
from types import TracebackType

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import check_list, pool_of_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

# The kernel's answer, with all 256 VFs and the length of 34.
ANSWER = Path(__file__).with_name("captured") / "256_vfs_of_netdevsim_under_linux_6.1.xz"
LACKS = (
    "libvirt starts no guest with VF {} of PF enp1s0 (0000:01:00.0), because the kernel has room to tell it of 221 VFs, and of 256 tells it 34: "
    "hand out VF 0-33 alone (vfs), or make at most 221 VFs (num_vfs of vfpool.sriov.sriov_pf)."
)
# RTM_GETLINK for the interface 2 with RTEXT_FILTER_VF alone, as libvirt asks.
REQUEST = struct.pack("=IHHII", 40, 18, 1, 1, 0) + struct.pack("=4xi8x", 2) + struct.pack("=HHI", 8, 29, 1)


class Answered:
    """A socket on which the kernel gives that answer."""

    def __init__(self, *_kind: int) -> None:
        pass

    def __enter__(self) -> Answered:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def send(self, request: bytes) -> None:
        assert request == REQUEST

    def recv(self, size: int) -> bytes:
        return lzma.decompress(ANSWER.read_bytes())[:size]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Answered)
    monkeypatch.setattr(socket, "if_nametoindex", {"enp1s0": 2}.__getitem__)


@pytest.fixture
def pfs(tree: Tree) -> list[dict]:
    tree.pf("enp1s0", "0000:01:00.0", vfs=256, stride=1)
    return find_pfs(Sysfs(str(tree.root)), Incomplete())


def pool(tree: Tree, pfs: list[dict], **options: str) -> tuple[dict, list[str]]:
    return pool_of_pf({"pf": "enp1s0", "vfs": None, "mode": None, **options}, pfs, Sysfs(str(tree.root)))


@pytest.mark.usefixtures("answer")
def test_vfs_with_which_libvirt_starts_no_guest_are_warned_of(tree: Tree, pfs: list[dict]) -> None:
    assert pool(tree, pfs) == ({"pf": "enp1s0"}, [LACKS.format("34-255")])
    assert pool(tree, pfs, vfs="30-35", mode="hostdev")[1] == [LACKS.format("34-35")]
    listed = {"interfaces": ["enp1s0v3", "enp1s0v99"], "addresses": [], "mode": "passthrough"}
    assert check_list(listed, pfs, frozenset(), Sysfs(str(tree.root))) == [LACKS.format("99")]


@pytest.mark.usefixtures("answer")
def test_a_pool_that_has_none_of_these_or_whose_mode_sets_up_no_vf_is_not_warned_of(tree: Tree, pfs: list[dict]) -> None:
    assert pool(tree, pfs, vfs="0-33")[1] == []
    assert pool(tree, pfs, mode="private")[1] == []


@pytest.mark.parametrize("name", ["lo", "nosuch"])
def test_nothing_is_said_where_the_kernel_tells_no_vf_of_the_interface_or_has_it_no_more(tree: Tree, name: str) -> None:
    tree.pf(name, "0000:01:00.0", vfs=256, stride=1)
    assert pool(tree, find_pfs(Sysfs(str(tree.root)), Incomplete()), pf=name)[1] == []
