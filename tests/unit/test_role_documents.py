# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role says in its specification, its defaults, its README and its tasks is one and the same."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.vfpool.sriov.tests.unit.documented import ROLE, SPEC, options_of

# Each variable that passes options on, the module that takes them, and the tasks that call it.
PASSED_ON = [
    ("sriov_host_pfs", "sriov_pf", "pfs.yml"),
    ("sriov_host_networks", "passthrough_network", "networks.yml"),
]


def test_every_variable_has_the_default_that_its_specification_names() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert defaults == {name: option["default"] for name, option in SPEC.items()}


def test_every_variable_stands_in_the_readme() -> None:
    readme = (ROLE / "README.md").read_text()
    assert [name for name in SPEC if f"| `{name}` |" not in readme] == []


@pytest.mark.parametrize(("variable", "module", "_tasks"), PASSED_ON)
def test_a_variable_takes_each_option_of_its_module_and_no_other(variable: str, module: str, _tasks: str) -> None:
    assert sorted(SPEC[variable]["options"]) == sorted(options_of(module))


@pytest.mark.parametrize(("variable", "module", "_tasks"), PASSED_ON)
def test_a_variable_describes_an_option_as_its_module_does(variable: str, module: str, _tasks: str) -> None:
    def shape(option: dict) -> dict:
        inner = option.get("options") or option.get("suboptions") or {}
        return {
            "type": option.get("type", "str"),
            "choices": set(option.get("choices", [])) - {"rendered"},  # the role has no use for a definition that is only rendered
            "required": option.get("required", False),
            "default": option.get("default"),
            "elements": option.get("elements"),
            "options": {name: shape(part) for name, part in inner.items()},
        }

    theirs = options_of(module)
    assert {name: shape(option) for name, option in SPEC[variable]["options"].items()} == {name: shape(theirs[name]) for name in theirs}


@pytest.mark.parametrize(("_variable", "module", "tasks"), PASSED_ON)
def test_the_tasks_pass_every_option_on(_variable: str, module: str, tasks: str) -> None:
    (call,) = [task[f"vfpool.sriov.{module}"] for task in yaml.safe_load((ROLE / "tasks" / tasks).read_text()) if f"vfpool.sriov.{module}" in task]
    assert sorted(call) == sorted(options_of(module))
