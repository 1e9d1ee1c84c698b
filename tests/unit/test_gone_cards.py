# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import paths
from ansible_collections.vfpool.sriov.plugins.module_utils._gone_cards import gone_cards
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

HERE, GONE, GONE_SLOT = "enx525400aa0001", "enx525400aa0002", "pci0000:02:00.0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "sys")
    tree.pf("enp1s0", "0000:01:00.0", mac="52:54:00:aa:00:01")
    return tree


def declare(root: Path, *keys: str) -> None:
    for key in keys:
        for path in map(Path, paths(key, f"{root}/").values()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def told(tmp_path: Path) -> list[str]:
    sysfs = Sysfs(str(tmp_path / "sys"))
    return gone_cards(find_pfs(sysfs, Incomplete())[0], sysfs, f"{tmp_path}/")


def test_a_declared_card_that_is_gone_is_named_with_each_of_its_files(tree: Tree, tmp_path: Path) -> None:
    declare(tmp_path, HERE, GONE, GONE_SLOT)
    of_mac, of_slot = told(tmp_path)
    assert GONE in of_mac and GONE_SLOT in of_slot
    assert all(path in of_mac for path in paths(GONE, f"{tmp_path}/").values())


def test_the_only_declared_card_is_missed_too(tree: Tree, tmp_path: Path) -> None:
    declare(tmp_path, HERE)
    assert told(tmp_path) == []
    shutil.rmtree(tmp_path / "etc")
    declare(tmp_path, GONE)
    (said,) = told(tmp_path)
    assert GONE in said


def test_nothing_is_said_of_cards_that_are_there_by_their_address_or_by_their_slot(tree: Tree, tmp_path: Path) -> None:
    tree.pf("enp2s0", "0000:02:00.0", mac="52:54:00:aa:00:03")
    declare(tmp_path, HERE, GONE_SLOT)
    assert told(tmp_path) == []


def test_a_card_whose_own_address_is_not_known_may_be_the_declared_one(tree: Tree, tmp_path: Path) -> None:
    tree.pf(None, "0000:03:00.0")
    declare(tmp_path, HERE, GONE, GONE_SLOT)
    (said,) = told(tmp_path)
    assert GONE_SLOT in said
