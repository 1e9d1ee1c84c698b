# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: commands that run beside us, to be asked for their answer later."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable

__all__ = ["ENVIRONMENT", "Run", "Start", "ask", "beside", "in_turn"]

_PATIENCE = 60  # seconds, after which a command is taken to hang
# Exit code, standard output, standard error.
Answer = tuple[int, str, str]
# What a command says is read in English. Who became root by su may lack the folders of the commands that only root runs.
ENVIRONMENT = {"LC_ALL": "C", "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
# The signature of AnsibleModule.run_command.
Run = Callable[[list[str]], Answer]
# Starts a command; what comes back waits for its answer, and raises OSError where the command could not be started.
Start = Callable[[list[str]], Callable[[], Answer]]


def beside(command: list[str]) -> Callable[[], Answer]:
    """Start a command that runs while we do other things. It writes to memory, as a pipe would stop it when it is full."""
    output, errors = os.memfd_create("output"), os.memfd_create("errors")
    try:
        # pylint: disable-next=ansible-bad-function  # run_command would wait
        process = Popen(command, stdin=DEVNULL, stdout=output, stderr=errors, env={**os.environ, **ENVIRONMENT})
    except OSError as error:
        return partial(_refuse, error)
    return lambda: (_ended(process, command[0]), _written(output), _written(errors))


def _ended(process: Popen[bytes], name: str) -> int:
    try:
        return process.wait(_PATIENCE)
    except TimeoutExpired:
        process.kill()
        process.wait()
        raise Unreadable(f"the command {name} gave no answer in {_PATIENCE} s") from None


def _written(memory: int) -> str:
    with open(memory, encoding="utf-8", errors="replace") as file:
        file.seek(0)
        return file.read()


def _refuse(error: OSError) -> Answer:
    raise error


def ask(command: list[str], start: Start, read: Callable[[Any], Any]) -> Callable[[], Any]:
    """Start a command of iproute2 that answers in JSON; what comes back waits for that, and is what ``read`` makes of it.

    It raises Unreadable where the command does not run or fails, or where ``read`` does not understand the answer.
    """
    return partial(_answer, command[0], start(command), read)


def _answer(name: str, asked: Callable[[], Answer], read: Callable[[Any], Any]) -> Any:
    try:
        code, out, err = asked()
    except OSError as error:
        raise Unreadable(f"the command {name} does not run: {error.strerror} (install iproute2)") from error
    if code != 0 or "Dump was interrupted" in err:  # of which ip says that it may be inconsistent, and succeeds
        raise Unreadable(" ".join(err.split()) or f"{name} exited with {code}")
    try:
        return read(json.loads(out))
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"{name} gave an answer that makes no sense: {out.strip()[:80]!r}") from error


def in_turn(run: Run) -> Start:
    """Commands that run only when their answer is asked for."""
    return lambda command: partial(run, command)
