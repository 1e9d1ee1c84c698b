# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._processes import HIDDEN, openers

ONE_UNSEEN = "the open files of some processes (1) cannot be seen: become root, in a container with CAP_SYS_PTRACE"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Two processes as /proc shows them, and what is no process."""
    for pid, command, files in ((1, "systemd", ["/dev/null"]), (4711, "dpdk-testpmd", ["/dev/null", "/dev/vfio/vfio", "/dev/vfio/12", "/dev/vfio/12"])):
        (tmp_path / f"{pid}/fd").mkdir(parents=True)
        (tmp_path / f"{pid}/comm").write_text(f"{command}\n")
        for number, file in enumerate(files):
            (tmp_path / f"{pid}/fd/{number}").symlink_to(file)
    (tmp_path / "sys").mkdir()
    return tmp_path


def test_a_process_that_has_a_device_open_is_named_once(proc: Path) -> None:
    assert openers({"/dev/vfio/12", "/dev/vfio/13"}, str(proc)) == ({"/dev/vfio/12": ["pid 4711 (dpdk-testpmd)"]}, [])


def test_a_process_below_a_root_of_its_own_is_found(proc: Path) -> None:
    (proc / "1/fd/9").symlink_to("/srv/jail/dev/vfio/13")
    assert openers({"/dev/vfio/13"}, str(proc)) == ({"/dev/vfio/13": ["pid 1 (systemd)"]}, [])


def test_a_device_file_that_was_removed_is_open_all_the_same(proc: Path) -> None:
    (proc / "4711/fd/8").symlink_to("/dev/vfio/16 (deleted)")
    assert openers({"/dev/vfio/16"}, str(proc))[0] == {"/dev/vfio/16": ["pid 4711 (dpdk-testpmd)"]}


@pytest.mark.parametrize(("others", "known"), [(["/dev/vfio/vfio"], False), (["/dev/vfio/vfio", "/dev/vfio/99"], True)])
def test_a_process_that_has_a_vfio_device_and_no_group_of_it_open_is_a_doubt(proc: Path, others: list[str], known: bool) -> None:
    (proc / "8/fd").mkdir(parents=True)
    (proc / "8/comm").write_text("guest\n")
    for number, target in enumerate(["anon_inode:[vfio-device]", *others]):
        (proc / "8/fd" / str(number)).symlink_to(target)
    assert openers({"/dev/vfio/16"}, str(proc)) == ({}, [] if known else ["pid 8 (guest) has a device open by VFIO, and does not tell which"])


def test_a_process_that_ends_meanwhile_has_let_go(proc: Path) -> None:
    (proc / "99").mkdir()
    assert openers({"/dev/vfio/13"}, str(proc)) == ({}, [])


def refuse_to_list(folder: str, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer where a folder of /proc, named by its end, is listed."""
    listdir = os.listdir

    def answer(path: str) -> list[str]:
        if path.endswith(folder):
            raise error
        return listdir(path)

    monkeypatch.setattr(os, "listdir", answer)


def test_a_process_that_ends_while_it_is_looked_at_has_let_go(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_list("/4711/fd", ProcessLookupError(3, "No such process"), monkeypatch)
    assert openers({"/dev/vfio/12"}, str(proc)) == ({}, [])


def test_a_process_whose_name_is_no_text_or_is_gone_is_told_all_the_same(proc: Path) -> None:
    (proc / "4711/comm").write_bytes(b"\xff\n")
    assert openers({"/dev/vfio/12"}, str(proc)) == ({"/dev/vfio/12": ["pid 4711 (\N{REPLACEMENT CHARACTER})"]}, [])
    (proc / "4711/comm").unlink()
    assert openers({"/dev/vfio/12"}, str(proc)) == ({"/dev/vfio/12": ["pid 4711 (?)"]}, [])


def test_a_real_process_is_found_by_the_file_that_it_has_open(tmp_path: Path) -> None:
    device = tmp_path / "12"
    with device.open("w"):
        found, _reasons = openers({str(device)})
    assert [holder.split(" ")[1] for holder in found[str(device)]] == [str(os.getpid())]


def test_processes_of_others_that_cannot_be_seen_are_counted(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_list("/1/fd", PermissionError(13, "Permission denied"), monkeypatch)
    assert openers({"/dev/vfio/13"}, str(proc)) == ({}, [ONE_UNSEEN])


def test_open_files_that_are_listed_and_cannot_be_seen_are_told(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root finds them in a container without CAP_SYS_PTRACE."""
    readlink = os.readlink

    def refuse(path: str) -> str:
        if "/1/fd/" in path:
            raise PermissionError(13, "Permission denied")
        return readlink(path)

    monkeypatch.setattr(os, "readlink", refuse)
    assert openers({"/dev/vfio/13"}, str(proc)) == ({}, [ONE_UNSEEN])


def test_processes_that_are_hidden_altogether_are_told(proc: Path) -> None:
    """As a user other than root finds /proc where it is mounted with hidepid."""
    (proc / "1").rename(proc / "5000")
    assert openers({"/dev/vfio/13"}, str(proc)) == ({}, [HIDDEN])
