# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of the test suite consists of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import archive
import host_packages
import staging

__all__ = ["PARTS", "Step", "steps"]

ROOT = staging.ROOT
CACHE = ROOT / ".cache"
REPORTS = CACHE / "reports"
OLDEST_PYTHON = CACHE / "venv-oldest/bin/python"
# What runs on managed hosts, which may have Python 3.9.
ON_HOSTS = ("plugins/modules", "plugins/module_utils")


@dataclass
class Step:
    """One command that passes or fails, or, where it writes JUnit files into ``reports``, many tests; with a ``word`` that chooses, maybe none."""

    title: str
    command: list[str | Path]
    directory: Path = ROOT
    reports: Path | None = None
    word: str = ""
    root: bool = False
    packages: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Sequence[Callable[[], object]] = ()
    beside: bool = False

    @property
    def words(self) -> list[str]:
        return [str(word) for word in self.command]


def _lint(word: str) -> list[Step]:
    found = {"ANSIBLE_COLLECTIONS_PATH": str(CACHE)}
    boot_script = Path(__file__).with_name("boot_script.py")
    tools = [
        Step("ruff", ["ruff", "check", "."]),
        Step("mypy", ["mypy"]),
        Step("Python 3.9 on managed hosts", ["vermin", "--target=3.9-", "--violations", "--no-tips", *ON_HOSTS]),
        Step("shellcheck", [sys.executable, boot_script], packages=["shellcheck"]),
        Step("REUSE", ["reuse", "lint", "--lines"]),
        Step("ansible-lint", ["ansible-lint"], staging.COLLECTION, environment=found, prepare=[staging.stage]),
        Step("changelog", ["antsibull-changelog", "lint"]),
        Step("documentation", ["antsibull-docs", "lint-collection-docs", "--plugin-docs", staging.COLLECTION], prepare=[staging.stage]),
        Step("archive", [sys.executable, archive.__file__], prepare=[staging.stage]),
    ]
    return [tool for tool in tools if word in tool.title]


def _sanity(word: str) -> list[Step]:
    one = ["--test", word] if word else []
    command: list[str | Path] = ["ansible-test", "sanity", "--venv", "--python", "3.11", "--color", "no", "--junit", *one]
    reports = staging.COLLECTION / "tests/output/junit"
    prepare = [staging.stage, staging.provide_pip]
    # ansible-test itself passes over shell scripts in silence where shellcheck is missing.
    return [Step("ansible-test", command, staging.COLLECTION, reports, packages=["shellcheck"], prepare=prepare)]


def _pytest(title: str, folder: str, word: str, python: str | Path = sys.executable) -> Step:
    reports = REPORTS / title.replace(" ", "-")
    command: list[str | Path] = [python, "-m", "pytest", f"--junit-xml={reports / 'pytest.xml'}", folder]
    # Synthetic sysfs trees are thousands of small files, too many for a disk that others use.
    environment = {"TMPDIR": "/dev/shm", "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis")}
    return Step(title, [*command, *(["-k", word] if word else [])], reports=reports, word=word, environment=environment)


def _units(word: str) -> list[Step]:
    return [_pytest("pytest", "tests/unit", word)]


def _libvirtd(title: str, word: str, python: str | Path = sys.executable) -> Step:
    step = _pytest(title, "tests/integration", word, python)
    step.root, step.packages = True, host_packages.listed(ROOT / "tests/integration/packages.txt")
    # Each worker has a host and a libvirtd of its own.
    step.command += ["--numprocesses=2", "--dist=worksteal"]
    return step


def _images(*suites: str) -> list[Callable[[], object]]:
    """Make the laboratory's images here, in plain view: what Molecule starts shows nothing until it has ended."""
    words = [sys.executable, "-m", "lab", "image"]
    return [partial(subprocess.run, [*words, suite], cwd=ROOT / "tests", stdout=subprocess.DEVNULL, check=True) for suite in suites]


def _integration(word: str) -> list[Step]:
    trixie = _libvirtd("real libvirtd of Debian 13", word)
    trixie.environment["VFPOOL_HOST_SYSTEM"] = "trixie"
    trixie.packages += host_packages.listed(ROOT / "tests/lab/packages.txt")
    trixie.prepare = _images("trixie")
    return [_libvirtd("real libvirtd of this machine", word), trixie]


def _oldest(word: str) -> list[Step]:
    units = _pytest("units with ansible-core 2.16", "tests/unit", word, OLDEST_PYTHON)
    modules = _libvirtd("real libvirtd with ansible-core 2.16", word, OLDEST_PYTHON)
    # libvirt by itself, or modules that no Ansible starts
    for name in ("libvirt_*", "interruption*", "any_sequence*", "forgotten_leases*", "lossless*", "recovery*", "remote*", "results*"):
        modules.command.append(f"--ignore-glob=*/test_{name}")
    return [units, modules]


def _scenario(name: str) -> Step:
    """One scenario, whose host is of the release in its name; QEMU runs from trixie's image whatever the host is."""
    step = Step(name, ["molecule", "test", "--scenario-name", name], root=True, beside=True)
    step.packages = host_packages.listed(ROOT / "tests/lab/packages.txt")
    step.prepare = _images("trixie", "bookworm") if "bookworm" in name else _images("trixie")
    return step


def _molecule(word: str) -> list[Step]:
    # Backwards, because pf takes the longest, and beside it is time for others.
    scenarios = sorted((path.parent.name for path in (ROOT / "extensions/molecule").glob("*/molecule.yml")), reverse=True)
    return [_scenario(name) for name in scenarios if word in name]


_STEPS = {
    "lint": _lint,
    "sanity": _sanity,
    "units": _units,
    "oldest": _oldest,
    "integration": _integration,
    "molecule": _molecule,
}
PARTS = tuple(_STEPS)


def steps(part: str, word: str) -> list[Step]:
    """The steps of ``part``; with a ``word``, only what has it in its name."""
    return _STEPS[part](word)
