# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import network_key


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("qemu:///system", "n"),
        ("network:///system", "n"),
        ("qemu+unix:///system?socket=/run/other", "n"),
        ("qemu:///session", "n at session"),
        ("qemu+ssh://kvm2/system", "n at qemu+ssh://kvm2/system"),
    ],
)
def test_a_network_has_one_key_for_each_daemon_that_may_have_it(uri: str, key: str):
    assert network_key("n", uri) == key


def test_a_lease_that_cannot_be_noted_does_not_keep_the_next_from_going_back(tmp_path: Path):
    journal = Journal("n", str(tmp_path / "gone"))
    journal.mark("0b2d64da-3d0e-431e-afdd-804415d6ebbb")
    assert journal.read() is None
