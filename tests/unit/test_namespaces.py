# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _namespaces

DOUBT = "the network namespaces of some processes (1) cannot be seen: become root, in a container with CAP_SYS_PTRACE"


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
    assert _namespaces.look_elsewhere(set()).doubts == [DOUBT]


def test_processes_that_are_hidden_altogether_may_be_in_any_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "5000").mkdir()
    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    assert _namespaces.look_elsewhere(set()).doubts == ["the processes of other users are hidden (hidepid): become root"]


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The namespace of process 8, another one than ours; it is still to be made what it is."""
    for process in ("self", "1", "8"):
        (tmp_path / process / "ns").mkdir(parents=True)
    (tmp_path / "self/ns/net").touch()
    (tmp_path / "1/ns/net").hardlink_to(tmp_path / "self/ns/net")
    monkeypatch.setattr(_namespaces, "_PROC", str(tmp_path))
    monkeypatch.setattr(_namespaces, "_NAMED", str(tmp_path / "none"))
    return tmp_path / "8/ns/net"


@pytest.mark.parametrize("moved", [set(), {"0000:01:10.0"}])
def test_a_namespace_that_cannot_be_entered_is_in_doubt(other: Path, moved: set[str]) -> None:
    other.touch()  # the kernel enters no such file, whoever asks
    assert _namespaces.look_elsewhere(moved) == ({}, [], [DOUBT])


class Kernel:
    """rtnetlink with one link, which stands on another namespace's, and with what it says of that namespace's number."""

    said = b""
    lower, kind = 7, b"macvlan"

    def __init__(self, *_kind: int) -> None:
        self.answer = b""

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def send(self, request: bytes) -> None:
        link = struct.pack("=16x") + attribute(3, b"eth0\0") + attribute(5, number(self.lower)) + attribute(37, number(0))
        link += attribute(18, attribute(1, self.kind + b"\0"))
        done = message(3, number(0))
        self.answer = message(16, link) + done if request[4:6] == struct.pack("=H", 18) else self.said

    def recv(self, size: int) -> bytes:
        return self.answer[:size]


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def number(value: int) -> bytes:
    return struct.pack("=i", value)


@pytest.mark.parametrize(
    ("said", "sees"),
    [
        (message(88, bytes(4) + attribute(1, number(0))), True),
        (message(88, bytes(4) + attribute(1, number(1))), False),
        (message(88, bytes(4) + attribute(1, number(-1))), False),
        (message(88, bytes(4)), None),
        (message(88, bytes(4) + attribute(1, b"")), None),
        (b"?", None),
        (message(2, number(-1)), None),
        (message(88, bytes(4) + attribute(1, number(0)), flags=0x10), None),
    ],
    ids=["it is ours", "it is a third", "it has no number", "nothing", "no number", "no message", "it refuses", "it was interrupted"],
)
def test_links_on_ours_are_told_apart_and_an_answer_that_makes_no_sense_is_a_doubt(
    other: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, sees: bool | None
) -> None:
    other.symlink_to("/proc/self/ns/net")
    monkeypatch.setattr(Kernel, "said", said)
    monkeypatch.setattr(socket, "socket", Kernel)
    found = _namespaces.look_elsewhere(set())
    assert found.uppers == ([(7, "eth0", "macvlan", "pid 8 (?)")] if sees else [])
    assert found.doubts == ([DOUBT] if sees is None else [])


def test_the_kernel_tells_whoever_asks_which_processes_share_a_namespace() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert os.path.samefile("/proc/self/net/dev", f"/proc/{process.pid}/net/dev")
        process.kill()
