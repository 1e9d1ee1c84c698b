# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: run under a Python that has the host's own libraries."""

from __future__ import annotations

import importlib.util

from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["require", "respawn_where"]

# libvirt's bindings come with the system's Python, which need not be the one that runs the module.
_SYSTEM_PYTHONS = ("/usr/bin/python3", "/usr/libexec/platform-python", *(f"/usr/bin/python3.{minor}" for minor in range(14, 8, -1)))


def respawn_where(*libraries: str) -> None:
    """Start this module again under a Python of the system that has all of ``libraries``, else under one that has the first.

    Returns only where this Python has them, or where there is no better one.
    """
    if has_respawned() or all(map(importlib.util.find_spec, libraries)):
        return
    better = probe_interpreters_for_module(_SYSTEM_PYTHONS, ", ".join(libraries))
    if better is None and importlib.util.find_spec(libraries[0]) is None:
        better = probe_interpreters_for_module(_SYSTEM_PYTHONS, libraries[0])
    if better is not None:
        respawn_module(better)


def require(library: str) -> None:
    """Raise SriovError with the package to install when this Python lacks ``library``."""
    if importlib.util.find_spec(library) is None:
        raise SriovError(f"The Python library {library} is missing: install the package python3-{library} on that host.")
