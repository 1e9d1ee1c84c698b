# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._mac import normal_mac


@pytest.mark.parametrize("text", ["52:54:00:ab:cd:ef", "52:54:00:AB:CD:EF", "52-54-00-ab-cd-ef"])
def test_a_mac_address_has_one_spelling(text):
    assert normal_mac(text, "VF 0") == "52:54:00:ab:cd:ef"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("52:54:0:0:0:7", "is no MAC address: write six pairs"),
        ("52:54:00:ab:cd", "is no MAC address"),
        ("52:54:00:ab:cd:eg", "is no MAC address"),
        ("", "is no MAC address"),
        ("41112000007", "is a number, because YAML reads digits with colons so"),
        ("53:54:00:ab:cd:ef", "is a multicast address"),
    ],
)
def test_what_no_device_can_have_is_refused(text, words):
    with pytest.raises(SriovError, match=f"^mac .* of VF 0 .*{words}"):
        normal_mac(text, "VF 0")
