# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on a PF that is told to end puts back what it did."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import fail_at_endings, undisturbed
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan

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
