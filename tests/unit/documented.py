# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the collection says of itself: the documented options of its modules, the specification of its role."""

from __future__ import annotations

import importlib
from pathlib import Path

import yaml

COLLECTION = Path(__file__).resolve().parents[2]
ROLE = COLLECTION / "roles/sriov_host"
SPEC = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
PLUGINS = "ansible_collections.vfpool.sriov.plugins"


def options_of(module: str) -> dict:
    """The documented options of a module, those of its documentation fragments included."""
    documentation = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    options = dict(documentation.get("options", {}))
    for name in documentation["extends_documentation_fragment"]:
        fragment, section = ([*name.split(".")[2:], "documentation"])[:2]
        text = getattr(importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment, section.upper())
        options.update(yaml.safe_load(text).get("options", {}))
    return options
