# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: lxml, imported when a document is first read, for the import alone costs 40 ms."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["etree"]


def etree() -> Any:
    """The module lxml.etree. Raises SriovError where it is not installed."""
    try:
        from lxml import etree as module
    except ImportError as error:
        raise SriovError("The Python library lxml is missing: install the package python3-lxml where this runs.") from error
    return module
