# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of `plugins/module_utils`, as docs/development.md lists them: each knows only those below it."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

from ansible_collections.vfpool.sriov.tests.unit.documented import COLLECTION

FILES = {path.stem: path for path in (COLLECTION / "plugins/module_utils").glob("_*.py") if path.stem != "__init__"}


def rooms() -> list[list[str]]:
    """The files of each room, from the lowest up."""
    _before, _heading, table = (COLLECTION / "docs/development.md").read_text().partition("| room | files |\n| --- | --- |\n")
    rows = table.partition("\n\n")[0].splitlines()
    return [re.findall(r"`(\w+)`", row.split("|")[2]) for row in rows]


def imports_of(path: Path) -> set[str]:
    """The files of `module_utils` that one imports, at its start or later."""
    modules = [node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {name for module in modules for name in [module.rpartition("module_utils.")[2]] if name in FILES}


def test_every_file_is_in_one_room_and_the_files_of_a_room_stand_in_alphabetical_order() -> None:
    assert sorted(name for room in rooms() for name in room) == sorted(FILES)
    for room in rooms():
        assert room == sorted(room)


def test_a_file_imports_only_from_its_own_room_and_those_below_it() -> None:
    floor = {name: number for number, room in enumerate(rooms()) for name in room}
    upwards = [f"{name} imports {other}" for name, path in FILES.items() for other in imports_of(path) if floor[other] > floor[name]]
    assert not upwards


def test_no_two_files_import_each_other_by_whatever_way_around() -> None:
    graph = {name: imports_of(path) for name, path in FILES.items()}
    assert sum(map(len, graph.values())) > len(graph)
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)
