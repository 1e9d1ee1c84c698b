# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A NUL reaches us only from a host that logs to the journal: for syslog, Ansible itself refuses it."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import network_key


@pytest.mark.parametrize("name", ["\0", "a\0b"])
def test_a_name_with_a_nul_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(SriovError, match=r"^'.+' is no name for a network: write one without a control character\.$"):
        network_key(name, "qemu:///system")


def test_a_uri_with_a_nul_is_refused_in_one_sentence() -> None:
    with pytest.raises(SriovError, match=r"^uri '.+' is no URI of libvirt: write one such as qemu:///system or qemu\+ssh://host/system\.$"):
        network_key("n", "qemu:///sys\0tem")
