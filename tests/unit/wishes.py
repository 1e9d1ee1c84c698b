# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wish for the PF of a recorded kernel, and what the module makes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_plan import PfPlan
from ansible_collections.vfpool.sriov.plugins.module_utils._sriov_pf import bring_about
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_drivers import VfDrivers
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel

__all__ = ["failure", "foretell", "plan", "refusal"]


def plan(kernel: RecordedKernel, pf: dict | None = None, **wish: Any) -> PfPlan:
    nothing = dict.fromkeys(("num_vfs", "drivers_autoprobe", "link", "mtu", "eswitch_mode", "vfs"))
    pf = pf or kernel.read()
    wish = {**nothing, "pf": "enp1s0", "on_in_use": "fail", "persist": False, "timeout": 0, **wish}
    drivers = VfDrivers(pf, kernel.run, 0, kernel.sysfs)
    of_kernel = PfKernel(pf, kernel.run, 0, kernel.sysfs)
    return PfPlan(pf, wish, of_kernel, drivers, lambda: (kernel.read(), []), root=f"{kernel.tree.root.parent}/")


def refusal(kernel: RecordedKernel, pf: dict | None = None, **wish: Any) -> str:
    with pytest.raises(SriovError) as caught:
        plan(kernel, pf, **wish)
    assert kernel.log == []
    return str(caught.value)


def failure(kernel: RecordedKernel, **wish: Any) -> str:
    with pytest.raises(SriovError) as caught:
        plan(kernel, **wish).plan.apply()
    return str(caught.value)


def foretell(kernel: RecordedKernel, **options: Any) -> tuple[dict, list[str]]:
    """The module's result in check mode, and its warnings."""
    nothing = dict.fromkeys(("num_vfs", "drivers_autoprobe", "link", "mtu", "eswitch_mode", "vfs"))
    warnings: list[str] = []
    module = SimpleNamespace(
        params={**nothing, "pf": "enp1s0", "on_in_use": "fail", "persist": False, "timeout": 0, **options},
        check_mode=True,
        run_command=lambda command, handle_exceptions: kernel.run(command),
        warn=warnings.append,
    )
    return bring_about(module, kernel.sysfs), warnings
