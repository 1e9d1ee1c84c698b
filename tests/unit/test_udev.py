# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a VF counts as ready. Events as they really come are seen in the scenario pf."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._udev import VfWatch
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel


def wait(kernel: RecordedKernel, index: int) -> None:
    with VfWatch("0000:02:00.0", kernel.sysfs) as watch:
        watch.wait([index], 0)


def test_an_infiniband_vf_is_ready_with_its_rdma_device_for_only_ib_ipoib_gives_it_an_interface(kernel: RecordedKernel) -> None:
    card = kernel.tree.pf("ibp2s0", "0000:02:00.0", vfs=3, vf_name=None, vf_driver="mlx5_core", pci_class="0x020700")
    card.vf(0).rdma("mlx5_1")
    wait(kernel, 0)
    with pytest.raises(SriovError, match=r"VF 1 \(0000:02:10\.2, driver mlx5_core, no interface"):
        wait(kernel, 1)
    card.vf(2).rdma("mlx5_2").named("ibp2s0v2")
    kernel.silent = {2}
    with pytest.raises(SriovError, match="interface ibp2s0v2, udev's last word: none"):
        wait(kernel, 2)


def test_an_ethernet_vf_is_not_ready_with_its_rdma_device_alone(kernel: RecordedKernel) -> None:
    kernel.tree.pf("enp2s0", "0000:02:00.0", vfs=1, vf_name=None, vf_driver="mlx5_core").vf(0).rdma("mlx5_1")
    with pytest.raises(SriovError, match="VF 0"):
        wait(kernel, 0)
