# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk images of laboratory hosts, made from the recipe and kept by its content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .mirror import mirror
from .progress import LabError, say

__all__ = ["CACHE", "FLAVOURS", "HOUSE", "SUITES", "image", "recipe_digest", "remove_older"]

CHECKOUT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).with_name("recipe")
PACKAGES = Path(__file__).with_name("packages.txt")
CACHE = CHECKOUT / ".cache/lab"
# Checkouts may share their images by naming one folder here.
IMAGES = Path(os.environ.get("VFPOOL_LAB_IMAGES") or CACHE / "images").resolve()
SUITES = ("trixie", "bookworm")
FLAVOURS = ("full", "bare")
# The release whose QEMU runs every laboratory host: that of Debian 12 has no SR-IOV card.
HOUSE = "trixie"


def recipe_digest(recipe: Path, suite: str) -> str:
    """Twelve characters that change with the name, mode or content of any file of the recipe."""
    digest = hashlib.sha256(suite.encode())
    for file in sorted(path for path in recipe.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"\n{file.relative_to(recipe)} {os.access(file, os.X_OK)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time make what belongs to this lock."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is making what this one needs: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(suite: str, folder: Path) -> None:
    subprocess.run([sys.executable, CHECKOUT / "tests/suite/host_packages.py", PACKAGES], check=True, stdout=sys.stderr)
    source = mirror()
    say(f"building the {suite} image from {source} (kept in {folder.parent})")
    log_path = folder.parent / f"{suite}.log"
    with log_path.open("w") as log, subprocess.Popen(
        [RECIPE / "build", suite, source], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as build:
        assert build.stdout
        for line in build.stdout:
            log.write(line)
            if line.startswith("I: "):
                say(f"  {line[3:].strip()}")
    if build.returncode:
        raise LabError(f"building the {suite} image failed: {log_path} tells why")


def _used(folder: Path) -> bool:
    """Whether a process runs from the image or has something of it mounted: QEMU does both, and the hosts that are namespaces."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if folder.name in os.readlink(process / "root") or folder.name in (process / "mountinfo").read_text():
                return True
        except OSError:
            continue  # gone while we looked
    return False


def remove_older(folder: Path) -> None:
    """Remove the images that earlier recipes made of the same release, unless a host still runs from them."""
    suite = folder.name.partition("-")[0]
    for older in folder.parent.glob(f"{suite}-*"):
        if older != folder and not _used(older):
            # Under its own name, half an image would pass for a whole one.
            shutil.rmtree(older.rename(folder.parent / f"{suite}.unfinished"))


def image(suite: str) -> Path:
    """The folder with the disks, kernel and key of ``suite``, made first if the recipe has changed."""
    if os.geteuid() != 0:
        raise LabError("the laboratory needs root, to make its image and to run QEMU from it: run this as root")
    name = f"{suite}-{recipe_digest(RECIPE, suite)}"
    folder = IMAGES / name
    if folder.exists():
        return folder
    IMAGES.mkdir(parents=True, exist_ok=True)
    with _alone(IMAGES / f"{suite}.lock"):
        if folder.exists():
            return folder
        # What an interrupted build or removal left behind.
        unfinished = IMAGES / f"{suite}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _build(suite, unfinished)
        unfinished.rename(folder)
        say(f"the {suite} image is ready")
        remove_older(folder)
    return folder
