# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import libvirt


def test_a_binding_that_is_too_old_is_told_by_what_it_lacks_and_not_by_an_error_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libvirt.py").write_text("VIR_NETWORK_XML_INACTIVE = 1\n")  # Debian 11 has libvirt 7.0
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "libvirt", raising=False)
    with pytest.raises(SriovError, match=r"is older than 7\.7, .*: install a later one\.$"):
        libvirt()
    del sys.modules["libvirt"]
