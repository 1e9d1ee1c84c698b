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
from pathlib import Path
from types import TracebackType

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import check_list, pool_of_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._rtnetlink import vfs_in_list
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

# The kernel's answer, with all 256 VFs and the length of 34.
ANSWER = Path(__file__).with_name("captured") / "256_vfs_of_netdevsim_under_linux_6.1.xz"
LACKS = (
    "libvirt starts no guest with VF {} of PF enp1s0 (0000:01:00.0), because the kernel has room to tell it of 221 VFs, and of 256 tells it 34: "
    "make at most 221 with vfpool.sriov.sriov_pf, num_vfs."
)


class Answered:
    """A socket on which the kernel gives that answer."""

    def __init__(self, *_kind: int) -> None:
        self.sent = b""

    def __enter__(self) -> Answered:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def send(self, request: bytes) -> None:
        self.sent = request

    def recv(self, size: int) -> bytes:
        return lzma.decompress(ANSWER.read_bytes())[:size]


@pytest.fixture
def pfs(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    tree.pf("enp1s0", "0000:01:00.0", vfs=256, stride=1)
    monkeypatch.setattr(socket, "socket", Answered)
    monkeypatch.setattr(socket, "if_nametoindex", {"enp1s0": 2}.__getitem__)
    return find_pfs(Sysfs(str(tree.root)), Incomplete())


def pool(tree: Tree, pfs: list[dict], **options: str) -> tuple[dict, list[str]]:
    return pool_of_pf({"pf": "enp1s0", "vfs": None, "mode": None, **options}, pfs, Sysfs(str(tree.root)))


def test_vfs_with_which_libvirt_starts_no_guest_are_warned_of(tree: Tree, pfs: list[dict]) -> None:
    assert pool(tree, pfs) == ({"pf": "enp1s0"}, [LACKS.format("34-255")])
    assert pool(tree, pfs, vfs="30-35", mode="hostdev")[1] == [LACKS.format("34-35")]
    tree.virtual("eth9")
    listed = {"interfaces": ["eth9", "enp1s0v99"], "addresses": [], "mode": "passthrough"}
    assert check_list(listed, pfs, Sysfs(str(tree.root))) == [LACKS.format("99")]


def test_a_pool_of_nothing_but_these_is_refused(tree: Tree, pfs: list[dict]) -> None:
    with pytest.raises(SriovError) as refused:
        pool(tree, pfs, vfs="34-40")
    assert str(refused.value) == LACKS.format("34-40")
    with pytest.raises(SriovError) as refused:
        check_list({"interfaces": ["enp1s0v99"], "addresses": [], "mode": "passthrough"}, pfs, Sysfs(str(tree.root)))
    assert str(refused.value) == LACKS.format("99")


def test_a_pool_that_has_none_of_these_or_whose_mode_sets_up_no_vf_is_not_warned_of(tree: Tree, pfs: list[dict]) -> None:
    assert pool(tree, pfs, vfs="0-33")[1] == []
    assert pool(tree, pfs, mode="private")[1] == []


def test_nothing_is_said_of_a_driver_without_a_list_of_vfs_or_of_an_interface_that_is_not_there() -> None:
    assert vfs_in_list("lo") is None
    with pytest.raises(OSError, match="no interface"):
        vfs_in_list("nosuch")
