# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _command
from ansible_collections.vfpool.sriov.plugins.module_utils._command import ask, beside, in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable


def test_a_command_runs_before_anybody_asks_for_its_answer(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    asked = beside(["sh", "-c", f"mkfifo {pipe}.new && mv {pipe}.new {pipe} && cat {pipe} && echo $LC_ALL >&2 && exit 3"])
    while not pipe.exists():
        time.sleep(0.001)
    # More than any pipe holds: it would wait for a reader.
    pipe.write_text("x" * 1_000_000)
    assert asked() == (3, "x" * 1_000_000, "C\n")


def test_a_command_of_root_is_found_without_the_path_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / ".collections"))
    found = subprocess.run([sys.executable, "-c", f"from {_command.__name__} import beside; print(beside(['ldconfig', '-V'])()[0])"],
                           capture_output=True, text=True, check=True)
    assert found.stdout == "0\n"


def test_a_command_that_is_not_there_is_an_error_for_whoever_asks() -> None:
    asked = beside(["/nonexistent/ip"])
    with pytest.raises(FileNotFoundError):
        asked()


def test_a_list_that_was_interrupted_is_no_list() -> None:
    """Ip says so, and succeeds."""
    asked = ask(["ip"], in_turn(lambda _command: (0, "[]", "Dump was interrupted and may be inconsistent.\n")), list)
    with pytest.raises(Unreadable, match=r"^Dump was interrupted and may be inconsistent\.$"):
        asked()


def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "_PATIENCE", 0.1)
    with pytest.raises(Unreadable, match=r"^the command sleep gave no answer in 0\.1 s$"):
        beside(["sleep", "60"])()


def test_what_a_command_says_in_no_text_is_told_all_the_same() -> None:
    replaced = "\N{REPLACEMENT CHARACTER}"
    assert beside(["sh", "-c", r"printf '\377'; printf '\376' >&2"])() == (0, replaced, replaced)
