# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run parts of the test suite, show each step as it runs, and close with what really ran: ``python tests/suite PART... [-k WORD]``.

A step that keeps a JUnit report counts its tests, any other step counts as one. A skipped test counts as failed:
a part that cannot run here says so in one line and fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from xml.etree import ElementTree as ET

import host_packages
import parts

# With this pytest says that it has no such test.
NO_TESTS = 5
# Steps that may run beside each other: an emulated host keeps one core busy and often waits.
AT_ONCE = 2


class Tally(NamedTuple):
    passed: int
    failed: int


def _report(step: parts.Step, exit_code: int) -> Tally:
    """What a finished step amounts to: its JUnit reports, or one for the step itself."""
    if step.word and exit_code == NO_TESTS:
        return Tally(0, 0)
    passed = failed = 0
    for report in sorted(step.reports.glob("**/*.xml")) if step.reports else []:
        try:
            cases = list(ET.parse(report).iter("testcase"))
        except ET.ParseError as reason:
            print(f"{report} was not written to its end: {reason}", flush=True)
            failed += 1
            continue
        for case in cases:
            outcome = {result.tag: result.text or "" for result in case}
            if "No tests applicable" in outcome.get("skipped", ""):
                continue  # ansible-test found no file of that kind
            bad = bool({"failure", "error", "skipped"} & outcome.keys())
            passed, failed = passed + (not bad), failed + bad
    if exit_code == 0 and passed + failed == 0 and not step.reports:
        passed = 1
    if (exit_code != 0 or passed == 0) and failed == 0:
        failed = 1
    return Tally(passed, failed)


def _run(step: parts.Step) -> Tally:
    if step.reports:
        shutil.rmtree(step.reports, ignore_errors=True)
        step.reports.mkdir(parents=True)
    if step.root and os.geteuid() != 0:
        raise host_packages.CannotRunHere("needs root")
    host_packages.require(step.packages)
    for prepare in step.prepare:
        prepare()
    environment = {**os.environ, **step.environment}
    if step.beside:
        return _report(step, _told_apart(step, environment))
    return _report(step, subprocess.run(step.words, cwd=step.directory, env=environment, check=False).returncode)


def _told_apart(step: parts.Step, environment: dict[str, str]) -> int:
    """Run a step beside others, each line that it prints with its title in front."""
    with subprocess.Popen(
        step.words, cwd=step.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as run:
        assert run.stdout
        for line in run.stdout:
            print(f"{step.title:9}| {line}", end="", flush=True)
    return run.returncode


def _clock(since: float) -> str:
    minutes, seconds = divmod(time.monotonic() - since, 60)
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"


def _run_step(part: str, step: parts.Step) -> tuple[str, Tally, str]:
    print(f"\n=== {part}: {step.title}", flush=True)
    began = time.monotonic()
    try:
        tally = _run(step)
    except (host_packages.CannotRunHere, subprocess.CalledProcessError, OSError, RuntimeError) as reason:
        print(f"{part}: {step.title} cannot run here: {reason}", flush=True)
        tally = Tally(0, 1)
    return f"{part}: {step.title}", tally, _clock(began)


def _run_part(part: str, word: str) -> list[tuple[str, Tally, str]]:
    steps = parts.steps(part, word)
    with ThreadPoolExecutor(AT_ONCE if all(step.beside for step in steps) else 1) as lanes:
        return list(lanes.map(partial(_run_step, part), steps))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=parts.PARTS, metavar="PART", help=", ".join(parts.PARTS))
    parser.add_argument("-k", dest="word", default="", help="only tests, tools or scenarios with this in their name")
    arguments = parser.parse_args()
    began = time.monotonic()
    lines = [line for part in arguments.parts for line in _run_part(part, arguments.word)]
    if not any(tally.passed + tally.failed for _title, tally, _elapsed in lines):
        parser.error(f"nothing in {', '.join(arguments.parts)} is called {arguments.word!r}")
    print("\n=== summary")
    passed = failed = 0
    for title, tally, elapsed in lines:
        outcome = "FAILED" if tally.failed else "passed" if tally.passed else "none"
        print(f"{outcome:8}{title:44}{tally.passed:6} passed{tally.failed:5} failed  {elapsed}")
        passed, failed = passed + tally.passed, failed + tally.failed
    print(f"{'':8}{'altogether':44}{'':26}{_clock(began)}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
