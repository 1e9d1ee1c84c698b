# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import is_pci_address, normal_pci_address, pci_sort_key


@pytest.mark.parametrize(
    ("written", "normal"),
    [("0000:01:00.0", "0000:01:00.0"), ("01:00.0", "0000:01:00.0"), ("0001:AF:1F.7", "0001:af:1f.7"), ("10000:e1:00.0", "10000:e1:00.0")],
)
def test_an_address_has_one_normal_spelling(written: str, normal: str) -> None:
    assert is_pci_address(written)
    assert normal_pci_address(written) == normal


@pytest.mark.parametrize("text", ["", "enp1s0", "0000:01:00", "0000:01:20.0", "0000:01:00.8", "001:01:00.0", "0000:01:00.0 ", "52:54:00:aa:00:01"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    assert not is_pci_address(text)
    with pytest.raises(SriovError, match="is no PCI address: write .* such as 0000:01:00.0"):
        normal_pci_address(text)


def test_addresses_sort_by_number_even_where_domains_have_five_digits() -> None:
    ordered = ["0000:02:00.0", "0000:10:00.0", "0001:01:00.0", "10000:01:00.0"]
    assert sorted(ordered, key=pci_sort_key) == ordered
