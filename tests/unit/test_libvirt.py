# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._network_plan import NetworkPlanner
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_network


def test_a_binding_that_is_too_old_is_told_by_what_it_lacks_and_not_by_an_error_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binding = ModuleType("libvirt")  # as that of libvirt 7.0, which Debian 11 has
    vars(binding).update(__spec__=ModuleSpec("libvirt", None), registerErrorHandler=lambda *_handler: None)
    monkeypatch.setitem(sys.modules, "libvirt", binding)
    planner = NetworkPlanner(None, None, {"name": "n", "on_in_use": "fail"}, Journal("n", str(tmp_path)), [])
    with pytest.raises(SriovError, match=r"is older than 7\.7, .*: install a later one\.$"):
        planner.present(parse_network("<network><name>n</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"), [])
