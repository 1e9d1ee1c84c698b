# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Debian mirror this machine uses, from apt's own configuration."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .progress import LabError

__all__ = ["choose", "mirror", "resolve"]

# How apt gives the URI of a list of mirrors, which it takes for a folder.
LIST = "mirror+file:"
# What a repository is called that holds only additions to a release.
ADDITIONS = ("-security", "-updates", "-backports", "-proposed-updates")


def choose(repositories: Iterable[str], codename: str) -> str:
    """The URI of the mirror among lines "RELEASE COMPONENT URI".

    The repository with this machine's own release has all other releases beside it. A machine whose sources name
    the release otherwise ("stable") has it in the first repository that is no addition.
    """
    # A repository without releases has no component either.
    entries = [words for words in map(str.split, repositories) if len(words) == 3]
    whole = [(release, uri) for release, component, uri in entries if component == "main" and not release.endswith(ADDITIONS)]
    for wanted in (codename, "stable", "oldstable", "testing", "unstable", "sid"):
        for release, uri in whole:
            if release == wanted:
                return uri
    raise LabError(f"apt on this machine knows no Debian mirror for {codename}: add one with the component main to its sources")


def resolve(uri: str) -> str:
    """The first mirror of the list where ``uri`` names a list of mirrors, as on Debian's cloud images; else ``uri`` itself."""
    if not uri.startswith(LIST):
        return uri
    path = Path("/" + uri[len(LIST) :].strip("/"))
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            return words[0]
    raise LabError(f"apt on this machine takes its mirror from {path}, and that names none: add one")


def mirror() -> str:
    """The URI of the Debian mirror that apt on this machine uses."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        raise LabError(f"the laboratory is built with Debian's tools, and this is {system.get('PRETTY_NAME', 'another system')}")
    query = ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return resolve(choose(answer.splitlines(), system["VERSION_CODENAME"]))
