# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the READMEs and the documentation of plugins show can be copied: every example names things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.vfpool.sriov.tests.unit.documented import COLLECTION, SPEC, examples_of, options_of

READMES = [COLLECTION / "README.md", COLLECTION / "roles/sriov_host/README.md", COLLECTION / "docs/development.md"]


FILTERS = sorted((COLLECTION / "plugins/filter").glob("*.yml"))
MODULES = sorted((COLLECTION / "plugins/modules").glob("*.py"))


def examples(source: Path) -> list[Any]:
    if source.suffix == ".py":
        return examples_of(source.stem)
    if source.suffix == ".yml":
        return [yaml.safe_load(yaml.safe_load(source.read_text())["EXAMPLES"])]
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", source.read_text(), flags=re.MULTILINE | re.DOTALL)]


def mappings(node: Any) -> Iterator[dict]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from mappings(child)


@pytest.mark.parametrize("source", [*READMES, *MODULES, *FILTERS], ids=lambda source: str(source.relative_to(COLLECTION)))
def test_an_example_gives_a_module_options_that_it_has(source: Path) -> None:
    for mapping in mappings(examples(source)):
        for module in [key for key in mapping if key.startswith("vfpool.sriov.")]:
            assert set(mapping[module] or {}) <= set(options_of(module.rpartition(".")[2]))


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: str(readme.relative_to(COLLECTION)))
def test_an_example_gives_the_role_variables_and_options_that_it_has(readme: Path) -> None:
    for mapping in mappings(examples(readme)):
        for variable in [key for key in mapping if key.startswith("sriov_host_")]:
            assert variable in SPEC
            for entry in mapping[variable] if isinstance(mapping[variable], list) else []:
                assert set(entry) <= set(SPEC[variable]["options"])


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: str(readme.relative_to(COLLECTION)))
def test_a_link_into_the_checkout_leads_somewhere(readme: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", readme.read_text())
    assert [link for link in links if not (readme.parent / link).exists()] == []


def test_the_readme_names_every_plugin_and_role() -> None:
    readme = (COLLECTION / "README.md").read_text()
    shown = {"modules": "*.py", "filter": "*.py"}
    plugins = [path.stem for folder, pattern in shown.items() for path in (COLLECTION / "plugins" / folder).glob(pattern)]
    roles = [path.name for path in (COLLECTION / "roles").iterdir()]
    assert [name for name in plugins + roles if f"`{name}`" not in readme] == []
