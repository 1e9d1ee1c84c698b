# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import batch, set_attributes, settings

PF = {"name": "enp1s0", "pci_address": "0000:01:00.0", "driver": "igb"}
FRESH = {"mac": "00:00:00:00:00:00", "vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "spoofchk": True, "trust": False, "max_tx_rate": 0, "min_tx_rate": 0}


def lines(now: dict, wanted: dict) -> list[str]:
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


class Ip:
    """In place of ip: refuses each line that has a certain word, with the kernel's words."""

    def __init__(self, word: str = "", says: str = "") -> None:
        self.word, self.says = word, says
        self.batches: list[list[str]] = []

    def run(self, command: list[str], data: str) -> tuple[int, str, str]:
        assert command == ["ip", "-batch", "-"]
        self.batches.append(data.splitlines())
        number = next((number for number, line in enumerate(self.batches[-1], 1) if self.word and self.word in line), None)
        return (0, "", "") if number is None else (1, "", f"{self.says}\nCommand failed -:{number}\n")


def test_many_vfs_are_set_by_one_process_and_one_message_for_each() -> None:
    ip = Ip()
    set_attributes(PF, settings({}, {index: {"vlan": 100, "trust": True} for index in range(64)}), ip.run)
    assert ip.batches == [[f"link set dev enp1s0 vf {index} vlan 100 qos 0 trust on" for index in range(64)]]


def test_a_refusal_among_many_names_its_vf_and_its_one_attribute() -> None:
    ip = Ip("vlan 148", "RTNETLINK answers: Invalid argument")
    wanted = {index: {"mac": f"52:54:00:00:00:{index:02x}", "vlan": 100 + index, "trust": True} for index in range(64)}
    with pytest.raises(SriovError) as caught:
        set_attributes(PF, settings({}, wanted), ip.run)
    assert caught.value.result == {"vf": 48, "refused": {"vlan": 148, "qos": 0, "vlan_proto": "802.1Q"}}
    assert [len(lines) for lines in ip.batches] == [64, 3]


def test_a_refusal_of_a_vfs_attributes_together_and_of_none_alone_names_them_all() -> None:
    ip = Ip("trust on query_rss on", "RTNETLINK answers: Device or resource busy")
    with pytest.raises(SriovError, match="refuses trust on, query_rss on of VF 3"):
        set_attributes(PF, settings({}, {3: {"trust": True, "query_rss": True}}), ip.run)


@pytest.mark.parametrize(
    ("wanted", "refused", "said", "sentence"),
    [
        (
            {"max_tx_rate": 100},
            "max_tx_rate",
            "RTNETLINK answers: Invalid argument",
            (
                "The driver igb refuses max_tx_rate 100, min_tx_rate 0 of VF 3 of enp1s0 (0000:01:00.0) (Invalid argument): "
                "the driver limits rates only while the PF's link has a carrier, and to no more than its speed."
            ),
        ),
        (
            {"trust": True, "link_state": "enable"},
            "state",
            "RTNETLINK answers: Operation not supported",
            "The driver igb refuses link_state enable of VF 3 of enp1s0 (0000:01:00.0) (Operation not supported): the driver has no such setting.",
        ),
        (
            {"vlan": 7, "vlan_proto": "802.1ad"},
            "proto",
            "Error: Protocol not supported.",
            (
                "The driver igb refuses vlan 7, qos 0, vlan_proto 802.1ad of VF 3 of enp1s0 (0000:01:00.0) (Protocol not supported): "
                "the driver takes VLANs of 802.1Q alone."
            ),
        ),
    ],
)
def test_a_refusal_names_vf_attribute_value_the_kernels_words_and_the_likely_cause(wanted: dict, refused: str, said: str, sentence: str) -> None:
    with pytest.raises(SriovError) as caught:
        set_attributes(PF, settings({3: FRESH}, {3: wanted}), Ip(refused, said).run)
    assert str(caught.value) == sentence
