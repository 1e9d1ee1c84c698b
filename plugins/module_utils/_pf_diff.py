# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: a PF before and after, as YAML that reads well line by line."""

from __future__ import annotations

from typing import Any

__all__ = ["as_diff"]


def as_diff(title: str, before: dict, after: dict) -> dict[str, str]:
    """The value of `diff`: one line for each option, and one for each VF."""
    return {"before_header": title, "after_header": title, "before": _yaml(before), "after": _yaml(after)}


def _yaml(state: dict) -> str:
    return "".join(_entry(key, value) for key, value in state.items())


def _entry(key: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{key}: {_scalar(value)}\n"
    if not value:
        return f"{key}: {{}}\n"
    lines = (f"  {inner}: {{{', '.join(f'{name}: {_scalar(setting)}' for name, setting in settings.items())}}}\n" for inner, settings in value.items())
    return f"{key}:\n{''.join(lines)}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    # A colon would make a mapping or a base-60 number of a MAC or PCI address.
    return f'"{value}"' if ":" in str(value) else str(value)
