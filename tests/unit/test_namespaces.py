# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _namespaces


def test_only_processes_of_other_namespaces_hide_what_may_not_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for process in ("self", "1", "8"):
        for folder in ("ns", "net"):
            (tmp_path / process / folder).mkdir(parents=True)
        (tmp_path / process / "ns/net").touch()
    for process in ("self", "8"):
        (tmp_path / process / "net/dev").touch()
    (tmp_path / "1/net/dev").hardlink_to(tmp_path / "self/net/dev")  # the kernel has one for each namespace
    really_stat = os.stat

    def stat(path: str, **options: bool) -> os.stat_result:
        if str(path).endswith(("/1/ns/net", "/8/ns/net")):
            raise PermissionError(13, "Permission denied")
        return really_stat(path, **options)

    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    monkeypatch.setattr(_namespaces, "_NAMED", str(tmp_path / "none"))
    monkeypatch.setattr(os, "stat", stat)
    doubt = "the network namespaces of some processes (1) cannot be seen: become root, in a container with CAP_SYS_PTRACE"
    assert _namespaces.look_elsewhere(set()).doubts == [doubt]


def test_processes_that_are_hidden_altogether_may_be_in_any_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "5000").mkdir()
    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    assert _namespaces.look_elsewhere(set()).doubts == ["the processes of other users are hidden (hidepid): become root"]


def test_the_kernel_tells_whoever_asks_which_processes_share_a_namespace() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert os.path.samefile("/proc/self/net/dev", f"/proc/{process.pid}/net/dev")
        process.kill()
