# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install what is missing on the machine that runs the tests: ``python3 tests/suite/host_packages.py LIST...``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["CannotRunHere", "listed", "require"]

# Seconds to wait for another apt: a machine that has just booted upgrades itself.
PATIENCE = 300


class CannotRunHere(Exception):
    """This machine cannot run what was asked for; the message says what it lacks."""


def _installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def listed(path: Path) -> list[str]:
    """The packages that a file names, one to a line."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _apt(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run apt-get, again and again while another apt holds a lock: its own waiting covers dpkg's alone."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    deadline = time.monotonic() + PATIENCE
    while True:
        apt = subprocess.run(["apt-get", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if apt.returncode == 0 or "Could not get lock" not in apt.stderr or time.monotonic() > deadline:
            return apt
        print("Waiting for another apt:", apt.stderr.splitlines()[0], flush=True)
        time.sleep(5)


def require(packages: list[str]) -> None:
    """Install those of the Debian ``packages`` that are missing, and say so in one line.

    Recommended packages stay out: `libvirt-daemon` then brings the program alone, without the units and the
    default network that would start a daemon and change the networking of this machine.
    """
    if not shutil.which("apt-get"):
        raise CannotRunHere("needs Debian's apt-get to install " + " ".join(packages))
    missing = [package for package in packages if not _installed(package)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise CannotRunHere("needs root to install " + " ".join(missing))
    print("Installing missing packages with apt-get:", " ".join(missing), flush=True)
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        apt = _apt(words)
        if apt.returncode != 0:
            print(apt.stdout, apt.stderr, sep="")
            raise CannotRunHere(f"needs {' '.join(missing)}, and apt-get {words[0]} failed")


if __name__ == "__main__":
    try:
        require([package for path in sys.argv[1:] for package in listed(Path(path))])
    except CannotRunHere as reason:
        sys.exit(f"This machine {reason}.")
