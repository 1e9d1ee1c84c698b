# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import batch, set_attributes, settings

PF = {"name": "enp1s0", "pci_address": "0000:01:00.0", "driver": "igb"}
FRESH = {"mac": "00:00:00:00:00:00", "vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "spoofchk": True, "trust": False, "max_tx_rate": 0, "min_tx_rate": 0}


def lines(now: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return batch("enp1s0", settings({3: now}, {3: wanted})).splitlines()


def test_only_what_differs_is_set() -> None:
    assert lines(FRESH, {"vlan": 0, "trust": True, "spoofchk": True}) == ["link set dev enp1s0 vf 3 trust on"]


def test_a_priority_alone_keeps_the_vlan_that_the_kernel_sets_with_it() -> None:
    assert lines({**FRESH, "vlan": 100}, {"qos": 5}) == ["link set dev enp1s0 vf 3 vlan 100 qos 5"]


def test_one_rate_keeps_the_other() -> None:
    assert lines({**FRESH, "max_tx_rate": 500}, {"min_tx_rate": 10}) == ["link set dev enp1s0 vf 3 max_tx_rate 500 min_tx_rate 10"]


def test_only_another_protocol_is_spelt_out() -> None:
    assert lines(FRESH, {"vlan": 7, "vlan_proto": "802.1ad"}) == ["link set dev enp1s0 vf 3 vlan 7 qos 0 proto 802.1ad"]


def test_a_vf_whose_configuration_is_not_known_is_set_in_any_case() -> None:
    assert batch("enp1s0", settings({}, {0: {"trust": False, "link_state": "auto"}})).splitlines() == [
        "link set dev enp1s0 vf 0 trust off",
        "link set dev enp1s0 vf 0 state auto",
    ]


def test_many_vfs_are_set_by_one_process() -> None:
    processes = []

    def run(command: list[str], data: str) -> tuple[int, str, str]:
        processes.append((command, data.count("\n")))
        return 0, "", ""

    set_attributes(PF, settings({}, {index: {"vlan": 100, "trust": True} for index in range(64)}), run)
    assert processes == [(["ip", "-batch", "-"], 128)]


@pytest.mark.parametrize(
    ("wanted", "said", "sentence"),
    [
        (
            {"max_tx_rate": 100},
            "RTNETLINK answers: Invalid argument\nCommand failed -:1\n",
            (
                "The driver igb refuses max_tx_rate 100, min_tx_rate 0 of VF 3 of enp1s0 (0000:01:00.0) (Invalid argument): "
                "the driver limits rates only while the PF's link has a carrier, and to no more than its speed."
            ),
        ),
        (
            {"trust": True, "link_state": "enable"},
            "RTNETLINK answers: Operation not supported\nCommand failed -:2\n",
            "The driver igb refuses link_state enable of VF 3 of enp1s0 (0000:01:00.0) (Operation not supported): the driver has no such setting.",
        ),
        (
            {"vlan": 7, "vlan_proto": "802.1ad"},
            "Error: Protocol not supported.\nCommand failed -:1\n",
            (
                "The driver igb refuses vlan 7, qos 0, vlan_proto 802.1ad of VF 3 of enp1s0 (0000:01:00.0) (Protocol not supported): "
                "the driver takes VLANs of 802.1Q alone."
            ),
        ),
    ],
)
def test_a_refusal_names_vf_attribute_value_the_kernels_words_and_the_likely_cause(wanted: dict[str, Any], said: str, sentence: str) -> None:
    with pytest.raises(SriovError) as caught:
        set_attributes(PF, settings({3: FRESH}, {3: wanted}), lambda _command, data: (1, data, said))
    assert str(caught.value) == sentence
