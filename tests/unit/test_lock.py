# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked, runtime_folder


def hold(folder: str, held: multiprocessing.synchronize.Event) -> None:
    with locked("PF", "0000:01:00.0", folder=folder):
        held.set()
        signal.pause()


@pytest.fixture()
def other_run(tmp_path: Path):
    held = multiprocessing.Event()
    process = multiprocessing.Process(target=hold, args=(str(tmp_path), held))
    process.start()
    assert held.wait(10)
    yield process
    process.kill()
    process.join()


def test_a_second_run_on_the_same_pf_gives_up_after_its_timeout_and_names_the_first(tmp_path: Path, other_run) -> None:
    sentence = rf"^Another run \(process {other_run.pid}\) has been at work on PF 0000:01:00\.0 for more than 0\.2 s"
    with pytest.raises(SriovError, match=sentence), locked("PF", "0000:01:00.0", timeout=0.2, folder=str(tmp_path)):
        pytest.fail("two runs hold one lock")


def test_runs_on_two_pfs_do_not_wait_for_each_other(tmp_path: Path, other_run) -> None:
    with locked("PF", "0000:02:00.0", timeout=0, folder=str(tmp_path)):
        assert other_run.is_alive()


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path, other_run) -> None:
    os.kill(other_run.pid, signal.SIGKILL)
    with locked("PF", "0000:01:00.0", timeout=10, folder=str(tmp_path)):
        pass


def test_a_name_with_a_slash_stays_inside_the_folder_of_the_locks(tmp_path: Path) -> None:
    with locked("network", "../guests", folder=str(tmp_path)):
        assert os.listdir(tmp_path) == ["network-..%2Fguests.lock"]


def test_a_lock_that_cannot_be_made_says_so_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, remedy in ((str(tmp_path / "file"), r"File exists\): put that right"), ("/sys/vfpool", r"Operation not permitted\): run as root")):
        with pytest.raises(SriovError, match=rf"cannot be made \({remedy}"), locked("PF", "0000:01:00.0", folder=folder):
            pass


def test_whoever_changes_the_networks_of_the_host_looks_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert runtime_folder("system") == runtime_folder() == "/run/vfpool.sriov"
    assert runtime_folder("session") == runtime_folder("qemu+ssh://kvm2/system") == "/run/user/1000/vfpool.sriov"
