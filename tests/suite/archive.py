# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's archive from the staged copy, look at what it holds, and import it as Galaxy does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import staging

__all__: list[str] = []

BUILT = staging.ROOT / ".cache/archive"
GENERATED = {"MANIFEST.json", "FILES.json"}
# Whatever else lies at the top of the checkout serves its development and stays out.
BELONGS = {"CHANGELOG.md", "LICENSES", "README.md", "REUSE.toml", "changelogs", "docs", "meta", "plugins", "roles"}
# galaxy-importer passes over these with a warning; for us they are failures.
COMPLAINTS = ("WARNING", "ERROR")


def build() -> Path:
    shutil.rmtree(BUILT, ignore_errors=True)
    # A release makes the changelog first, and what that leaves behind stays out.
    (staging.COLLECTION / "changelogs/.plugin-cache.yaml").touch()
    subprocess.run(["ansible-galaxy", "collection", "build", staging.COLLECTION, "--output-path", BUILT], check=True)
    (archive,) = BUILT.glob("*.tar.gz")
    return archive


def strangers(archive: Path) -> list[str]:
    """The files in the archive that are no part of the collection, and those of the collection that it lacks."""
    with tarfile.open(archive) as content:
        held = {member.name for member in content.getmembers() if member.isfile()} - GENERATED
    wanted = {path for path in staging.tracked() if path.split("/")[0] in BELONGS}
    return [f"{path} does not belong into the archive" for path in sorted(held - wanted)] + [
        f"{path} is missing in the archive" for path in sorted(wanted - held)
    ]


def complaints(archive: Path) -> list[str]:
    importer = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", archive], cwd=BUILT, capture_output=True, text=True, check=False
    )
    output = (importer.stdout + importer.stderr).splitlines()
    print("\n".join(output))
    found = [line for line in output if line.startswith(COMPLAINTS)]
    return found if importer.returncode == 0 or found else [f"galaxy-importer ended with {importer.returncode}"]


def main() -> int:
    archive = build()
    problems = strangers(archive) + complaints(archive)
    print(*(problems or [f"{archive.name} holds the collection and nothing else"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
