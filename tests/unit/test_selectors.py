# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import is_interface_name, select_pf


def test_a_host_without_a_pf_is_told_with_the_remedy():
    remedy = "^No PF of this host is 'enp1s0': the host has none, so load the card's driver, and switch SR-IOV on in the firmware.$"
    with pytest.raises(SriovError, match=remedy):
        select_pf("enp1s0", [])


@pytest.mark.parametrize(
    ("name", "possible"),
    [("enp1s0", True), ("a" * 15, True), ("a" * 16, False), ("é" * 8, False), ("", False), (".", False), ("..", False), ("...", True),
     ("a/b", False), ("a:b", False), ("a b", False), ("a\n", False)],
)
def test_what_the_kernel_takes_for_the_name_of_an_interface(name: str, possible: bool):
    assert is_interface_name(name) == possible


@pytest.mark.parametrize("octets", [6, 20], ids=["ethernet", "infiniband"])
def test_a_pf_is_found_by_a_permanent_address_of_either_length(octets: int):
    mac = ":".join(f"{octet:02x}" for octet in range(octets))
    pf = {"name": "ib0", "altnames": [], "pci_address": "0000:01:00.0", "permanent_mac": mac, "vfs": []}
    assert select_pf(mac.upper(), [pf]) is pf
