# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty sysfs; give `str(tree.root)` to the code under test in place of /sys."""
    return Tree(tmp_path / "sys")


@pytest.fixture
def kernel(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> RecordedKernel:
    """A host with one PF, enp1s0, that has three of its eight VFs."""
    return RecordedKernel(tree, monkeypatch, vfs=3)


@pytest.fixture
def udev(tmp_path: Path) -> Path:
    """Where a udev that runs keeps what it knows of devices, of which it knows none yet."""
    (tmp_path / "udev/data").mkdir(parents=True)
    (tmp_path / "udev/control").touch()
    return tmp_path / "udev"
