# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import has_interface, is_vfio
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree


@pytest.mark.parametrize(
    ("driver", "interface", "vfio"),
    [("vfio-pci", False, True), ("mlx5_vfio_pci", False, True), ("uio_pci_generic", False, False), ("pci-stub", False, False), ("igbvf", True, False)],
)
def test_a_driver_for_user_space_is_known_by_its_name(driver: str, interface: bool, vfio: bool) -> None:
    assert (has_interface(driver), is_vfio(driver)) == (interface, vfio)


def test_no_driver_is_not_one_for_user_space() -> None:
    assert not is_vfio(None)


def test_the_kernels_own_sysfs_is_told_from_a_tree_that_was_laid_over_it(tree: Tree) -> None:
    assert Sysfs().is_the_kernels()
    assert not Sysfs(str(tree.root)).is_the_kernels()
    assert not Sysfs("/nowhere").is_the_kernels()
