# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the collection in the folder where Ansible's own tools want it, and pip for them without the internet."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["COLLECTION", "provide_pip", "stage", "tracked"]

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / ".cache/ansible_collections/vfpool/sriov"

# Runs inside a fresh environment in place of the get-pip script, which would come from the internet.
GET_PIP = """\
import subprocess, sys
pinned = [word for word in sys.argv[1:] if "==" in word]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned])
"""


def tracked() -> list[str]:
    """The files of the checkout as they are now: committed or not yet, but not what git ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(path for path in set(listing.stdout.split("\0")) if path and (ROOT / path).exists())


def stage() -> None:
    """Make the copy anew, without the link by which the checkout contains itself."""
    shutil.rmtree(COLLECTION, ignore_errors=True)
    for path in tracked():
        if path.startswith(".collections/"):
            continue
        target = COLLECTION / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target, follow_symlinks=False)
    # Without one of its own, ansible-test looks into the repository around it, which ignores this folder.
    subprocess.run(["git", "init", "--quiet", COLLECTION], check=True)


def provide_pip() -> None:
    """Put our get-pip where ansible-test keeps its own: a name that holds the version of pip it wants."""
    package = importlib.util.find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("ansible_test is not installed: run make venv")
    source = Path(package.submodule_search_locations[0], "_internal/python_requirements.py").read_text(encoding="utf-8")
    version = re.search(r"pip='([0-9.]+)'", source)
    if version is None:
        raise RuntimeError("ansible-test no longer names its version of pip in python_requirements.py")
    cached = Path.home() / f".ansible/test/cache/get_pip_{version[1].replace('.', '_')}.py"
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_text(GET_PIP, encoding="utf-8")
