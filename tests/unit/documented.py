# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the collection says of itself: the documented options and results of its modules, the specification of its role."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

COLLECTION = Path(__file__).resolve().parents[2]
ROLE = COLLECTION / "roles/sriov_host"
SPEC = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
PLUGINS = "ansible_collections.vfpool.sriov.plugins"
TYPES = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}


def options_of(module: str) -> dict:
    """The documented options of a module, those of its documentation fragments included."""
    documentation = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    options = dict(documentation.get("options", {}))
    for name in documentation["extends_documentation_fragment"]:
        fragment, section = ([*name.split(".")[2:], "documentation"])[:2]
        text = getattr(importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment, section.upper())
        options.update(yaml.safe_load(text).get("options", {}))
    return options


def returned_by(module: str) -> dict:
    """What a module documents that it returns."""
    documented: dict = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").RETURN)
    return documented


def examples_of(module: str) -> list[dict]:
    """The tasks that the documentation of a module shows."""
    tasks: list[dict] = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES)
    return tasks


def is_a(kind: str, value: Any) -> bool:
    """Whether a value is of a type as documentation calls it; to Python, a bool is an int too."""
    return isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "bool")


def differences(value: Any, documented: dict, place: str) -> Iterator[str]:
    """Where a value is not as documented; null is said to be possible everywhere."""
    if value is None:
        return
    if not is_a(documented["type"], value):
        yield f"{place} is {value!r}, and no {documented['type']}"
    inner = documented.get("contains", {"type": documented.get("elements")})
    for entry in value if isinstance(value, list) else [value]:
        if "contains" not in documented:
            if isinstance(value, list) and not is_a(inner["type"], entry):
                yield f"{place} has {entry!r}, and that is no {inner['type']}"
            continue
        sometimes = {key for key, said in inner.items() if "returned" in said}
        if entry.keys() | sometimes != set(inner):
            yield f"{place} has, or lacks, {sorted((entry.keys() | sometimes) ^ inner.keys())}"
        for key in entry.keys() & inner.keys():
            yield from differences(entry[key], inner[key], f"{place}.{key}")
