# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces of this machine that are a host of their own: its file system, its processes, its sysfs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
# Seconds for any one command: far more than it needs on a busy machine, so that a hanging one fails its test and no more.
PATIENCE = 120


class Namespaces:
    """Namespaces for mounts, processes and network interfaces; they end with this process, however it ends."""

    def __init__(self, name: str, system: Path = Path("/")) -> None:
        """`name` marks the mounts; `system` is a Debian system, of which nothing is changed."""
        self._started: list[subprocess.Popen[Any]] = []
        self._init = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
             "bash", str(HERE / "namespace.sh"), str(system), str(CHECKOUT), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._wait_for_init()
        first = _child(self._init)
        self.root = Path(f"/proc/{first}/root/run/host")
        self.tree = Tree(Path(f"/proc/{first}/root/run/sys"))
        self.door = ("nsenter", "-t", str(first), "--mount", "--pid", "--net", "--ipc", "--uts", f"--root={self.root}", "--")

    def _wait_for_init(self) -> None:
        if answer(self._init, self._init.kill) != "ready\n":
            self._init.communicate()
            raise RuntimeError("The namespaces could not be made: see the lines above; root is needed.")

    def renew(self) -> None:
        """No card, no process that `start` started, and every file as in the system: as new."""
        for process in self._started:
            self.send(process, signal.SIGKILL)
            process.communicate()
        self._started.clear()
        self.tree.clear()
        print("renew", file=self._init.stdin, flush=True)
        self._wait_for_init()

    def close(self) -> None:
        """End the namespaces and with them every process inside; each of those has gone when this returns."""
        self._init.communicate()
        for process in self._started:
            process.communicate()

    def start(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a command inside; it ends with the test at the latest. Options as of `subprocess.Popen`; to signal it, see `send`."""
        process = self._enter(*command, **options)
        self._started.append(process)
        return process

    def _enter(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        return subprocess.Popen([*self.door, *command], env={**os.environ, "HOME": "/root"}, **options)

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; with `check`, failure is an AssertionError that shows what it said."""
        process = self._enter(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="backslashreplace")
        try:
            output, errors = process.communicate(stdin, PATIENCE)
        except subprocess.TimeoutExpired:
            self.send(process, signal.SIGKILL)
            process.communicate()
            raise
        assert process.returncode == 0 or not check, f"{' '.join(command)} ended with {process.returncode}: {errors or output}"
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def python(self, program: str, *arguments: str) -> Any:
        """Run a program under the system's Python, which has libvirt's bindings; what it prints as JSON comes back."""
        return json.loads(self.run("/usr/bin/python3", "-c", program, *arguments).stdout or "null")

    @staticmethod
    def send(process: subprocess.Popen[Any], number: int) -> None:
        """Signal the command that `start` started (its process is only the door into the namespaces), unless it has ended."""
        command = _child(process)
        if command:
            os.kill(command, number)


def answer(process: subprocess.Popen[str], end: Callable[[], object]) -> str:
    """The next line that a process prints, one for each request; nothing if it is gone, or gave none in time and `end` ended it."""
    assert process.stdout
    if select.select([process.stdout], [], [], PATIENCE)[0]:
        return process.stdout.readline()
    end()
    return ""


def _child(process: subprocess.Popen[Any]) -> int | None:
    """The process that `unshare --fork` or `nsenter` started in a process namespace; None once that has ended."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.001)
    return None
