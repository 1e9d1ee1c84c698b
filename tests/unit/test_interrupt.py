# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on a PF that is told to end puts back what it did."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import fail_at_endings, undisturbed
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan, Step
from ansible_collections.vfpool.sriov.plugins.module_utils._udev import settle
from ansible_collections.vfpool.sriov.tests.unit.recorded_kernel import RecordedKernel

END = f"kill -TERM {os.getpid()}"


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    fail_at_endings()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(command: list[str], handle_exceptions: bool) -> Any:
    return subprocess.run(command, check=True)


def test_a_command_has_ended_before_the_run_that_started_it_does(tmp_path: Path) -> None:
    with pytest.raises(SriovError, match=r"^The run was ended by SIGTERM: run it again\.$"):
        undisturbed(run)(["sh", "-c", f"{END}; sleep 0.1; touch {tmp_path}/done"])
    assert (tmp_path / "done").exists()


def test_no_second_signal_disturbs_the_undoing(tmp_path: Path) -> None:
    def take_away() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        (tmp_path / "it").unlink()

    plan = Plan()
    plan.add("touch it", (tmp_path / "it").touch, take_away)
    plan.add("be ended", lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SriovError, match=r"^The run was ended by SIGTERM: run it again\. Undone: touch it\.$"):
        plan.apply()
    assert not (tmp_path / "it").exists()


def test_a_signal_between_two_steps_is_undone_too(tmp_path: Path) -> None:
    def steps() -> Iterator[Step]:
        yield Step("touch it", (tmp_path / "it").touch, (tmp_path / "it").unlink, None)
        os.kill(os.getpid(), signal.SIGTERM)

    plan = Plan()
    plan.steps = steps()  # type: ignore[assignment]
    with pytest.raises(SriovError, match=r"ended by SIGTERM: run it again\. Undone: touch it\.$"):
        plan.apply()
    assert not (tmp_path / "it").exists()


def test_waiting_for_udev_is_ended_by_a_signal(kernel: RecordedKernel) -> None:
    kernel.tree.pf("enp2s0", "0000:02:00.0", vfs=1, vf_name=None, vf_driver="mlx5_core")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(SriovError, match="ended by SIGTERM"):
        settle("0000:02:00.0", [0], kernel.sysfs, 20)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_does_not_cut_an_undoing_short_that_has_another_cause(tmp_path: Path, ending: signal.Signals) -> None:
    def refuse() -> None:
        raise SriovError("The driver refuses.")

    def take_away() -> None:
        os.kill(os.getpid(), ending)
        (tmp_path / "it").unlink()

    plan = Plan()
    plan.add("touch it", (tmp_path / "it").touch, take_away)
    plan.add("be refused", refuse)
    with pytest.raises(SriovError, match=r"^The driver refuses\. Undone: touch it\.$"):
        plan.apply()
    assert not (tmp_path / "it").exists()
    with pytest.raises(SriovError, match="^The run was ended by"):
        os.kill(os.getpid(), ending)
