# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_wish import wanted_vfs

PF = {"name": "enp1s0", "pci_address": "0000:01:00.0", "mac": "52:54:00:aa:00:01", "vfs": []}


def test_a_range_declares_the_same_for_each_of_its_vfs() -> None:
    entries = [{"index": "0-1,3", "vlan": 100, "trust": None}, {"index": "2", "trust": False}]
    assert wanted_vfs(entries, 4, PF) == {0: {"vlan": 100}, 1: {"vlan": 100}, 2: {"trust": False}, 3: {"vlan": 100}}


def test_a_mac_is_compared_in_the_spelling_of_the_kernel() -> None:
    assert wanted_vfs([{"index": "0", "mac": "52-54-00-AB-00-02"}], 1, PF) == {0: {"mac": "52:54:00:ab:00:02"}}


def test_several_vfs_may_be_without_an_admin_mac() -> None:
    assert len(wanted_vfs([{"index": "0-2", "mac": "00:00:00:00:00:00"}], 3, PF)) == 3


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([{"index": "0-4"}], "vfs names VF 4, but enp1s0 (0000:01:00.0) will have the VFs 0-3: name only those, or raise num_vfs."),
        ([{"index": "0-2"}, {"index": "2,3"}], "vfs names VF 2 of enp1s0 (0000:01:00.0) in two entries: say in one what it should be."),
        ([{"index": "0,0"}], "vfs.index '0,0' names VF 0 twice: name each index once."),
        ([{"index": "1", "vlan": 4095}], "vlan 4095 of VF 1 of enp1s0 (0000:01:00.0) is out of range: write 0 to 4094."),
        ([{"index": "1", "qos": 8}], "qos 8 of VF 1 of enp1s0 (0000:01:00.0) is out of range: write 0 to 7."),
        ([{"index": "1", "max_tx_rate": -1}], "max_tx_rate -1 of VF 1 of enp1s0 (0000:01:00.0) is out of range: write 0 to 4294967295."),
        (
            [{"index": "1", "min_tx_rate": 20, "max_tx_rate": 10}],
            "min_tx_rate 20 of VF 1 of enp1s0 (0000:01:00.0) is above its max_tx_rate 10: lower the one or raise the other (0 is no limit).",
        ),
        (
            [{"index": "1", "mac": "01:00:5e:00:00:01"}],
            "mac 01:00:5e:00:00:01 of VF 1 of enp1s0 (0000:01:00.0) is a multicast address, which no device can have: make its first pair an even number.",
        ),
        (
            [{"index": "1", "mac": "52:54"}],
            "mac '52:54' of VF 1 of enp1s0 (0000:01:00.0) is no MAC address: write six pairs of hexadecimal digits, such as 52:54:00:12:34:56.",
        ),
        (
            [{"index": "1", "mac": "41135080953"}],
            "mac 41135080953 of VF 1 of enp1s0 (0000:01:00.0) is a number, because YAML reads digits with colons so: write the address in quotes.",
        ),
        (
            [{"index": "0", "mac": "52:54:00:00:00:01"}, {"index": "3", "mac": "52:54:00:00:00:01"}],
            "mac 52:54:00:00:00:01 is declared for VF 3 of enp1s0 (0000:01:00.0) and belongs to VF 0 too: give each a MAC address of its own.",
        ),
        (
            [{"index": "2", "mac": "52:54:00:aa:00:01"}],
            "mac 52:54:00:aa:00:01 is declared for VF 2 of enp1s0 (0000:01:00.0) and belongs to the PF itself too: give each a MAC address of its own.",
        ),
    ],
)
def test_what_no_card_takes_is_refused_in_one_sentence(entries: list[dict], sentence: str) -> None:
    with pytest.raises(SriovError) as caught:
        wanted_vfs(entries, 4, PF)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"index": "1", "min_tx_rate": 200}, "min_tx_rate 200 of VF 1 of enp1s0 (0000:01:00.0) is above its max_tx_rate 100: lower the one or raise the other"),
        ({"index": "1", "mac": "52:54:00:00:00:07"}, "mac 52:54:00:00:00:07 is declared for VF 1 of enp1s0 (0000:01:00.0) and belongs to VF 0 too"),
        ({"index": "0", "min_tx_rate": 200, "mac": "52:54:00:00:00:07"}, None),
        ({"index": "0-1", "max_tx_rate": 0, "min_tx_rate": 200}, None),
    ],
)
def test_what_is_declared_is_measured_by_what_the_vfs_keep_from_before(entry: dict, sentence: str | None) -> None:
    configs = [{"mac": "52:54:00:00:00:07", "max_tx_rate": 0}, {"mac": "00:00:00:00:00:00", "max_tx_rate": 100}, None]
    pf = {**PF, "vfs": [{"index": index, "config": config} for index, config in enumerate(configs)]}
    if sentence is None:
        assert wanted_vfs([entry], 3, pf)
    else:
        with pytest.raises(SriovError) as caught:
            wanted_vfs([entry], 3, pf)
        assert str(caught.value).startswith(sentence)


def test_a_pf_that_will_have_no_vfs_takes_no_settings_for_them() -> None:
    with pytest.raises(SriovError, match=r"vfs names VF 0, but enp1s0 \(0000:01:00\.0\) will have no VFs"):
        wanted_vfs([{"index": "0", "vlan": 1}], 0, PF)
