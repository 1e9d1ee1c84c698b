# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filter interface_pool makes of an input that is no facts: one sentence with the remedy."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.plugins.filter.interface_pool import FilterModule

interface_pool = FilterModule().filters()["interface_pool"]

HELD = [{"kind": "libvirt_port", "name": "web1", "uuid": "u", "network": "fast"}]


def pf_facts(name: str | None, bus: int, vfs: int) -> dict[str, Any]:
    """One PF as sriov_vf_facts returns it, of which the filter looks at these keys."""
    listed = [
        {"index": index, "pci_address": f"0000:{bus:02x}:10.{index}", "name": f"{name}v{index}" if index % 3 else None, "used_by": [[], HELD][index % 2]}
        for index in range(vfs)
    ]
    return {"name": name, "altnames": ["wan"], "pci_address": f"0000:{bus:02x}:00.0", "permanent_mac": f"52:54:00:00:00:{bus:02x}", "vfs": listed}


FACTS: dict[str, Any] = {
    "pfs": [pf_facts("enp1s0", 1, 4), pf_facts(None, 2, 0)],
    "incomplete": [{"part": "vfs[0-1].used_by", "pf": "0000:01:00.0", "reason": "libvirt is not running"}],
}


def changed(*path: Any, to: Any = None, without: bool = False) -> Any:
    """The facts with one of their parts in another form, or without it."""
    facts = copy.deepcopy(FACTS)
    part = facts
    for key in path[:-1]:
        part = part[key]
    if without:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return facts


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (None, "it is null"),
        ("enp1s0", "it is 'enp1s0'"),
        ([], r"it is \[\]"),
        ({}, "it has no name"),
        ({"pfs": None}, "pfs is null"),
        ({"pfs": {}}, "pfs is {}"),
        ({"pfs": [{}], "incomplete": []}, r"pfs\[0\] has no name"),
        ({"pfs": ["enp1s0"], "incomplete": []}, r"pfs\[0\] is 'enp1s0'"),
        (changed("pfs", 1, "vfs", without=True), r"pfs\[1\] has no vfs"),
        (changed("pfs", 0, "vfs"), r"pfs\[0\].vfs is null"),
        (changed("pfs", 0, "altnames", to="wan"), r"pfs\[0\].altnames is 'wan'"),
        (changed("pfs", 0, "pci_address"), r"pfs\[0\].pci_address is null"),
        (changed("pfs", 0, "vfs", 3, "index", to="3"), r"pfs\[0\].vfs\[3\].index is '3'"),
        (changed("pfs", 0, "vfs", 3, "name", without=True), r"pfs\[0\].vfs\[3\] has no name"),
        (changed("incomplete"), "incomplete is null"),
        (changed("incomplete", 0, to="part"), r"incomplete\[0\] is 'part'"),
        (changed("pfs", 0, "vfs", 0)["pfs"][0], r"vfs\[0\] is null"),
        ({**pf_facts("enp1s0", 1, 1), "vfs": "v0 " * 99}, "vfs is '(v0 ){13}"),
    ],
)
def test_an_input_that_is_no_facts_says_where_it_is_not(wrong: Any, fault: str) -> None:
    message = rf"^interface_pool: the input is neither ansible_facts\['sriov'\] nor one PF of it, for {fault}: run vfpool.sriov.sriov_vf_facts first\.$"
    with pytest.raises(AnsibleFilterError, match=message):
        interface_pool(wrong)


def test_an_altname_is_not_said_to_be_none_where_altnames_are_not_known() -> None:
    unknown = changed("pfs", 1, "altnames")
    with pytest.raises(AnsibleFilterError, match=r"^interface_pool: No PF of this host is 'lan' \(which altnames the PFs have is not known: see the facts' "):
        interface_pool(unknown, "lan")
    for selector in ("0000:09:00.0", "52:54:00:00:00:09"):
        with pytest.raises(AnsibleFilterError, match=f"No PF of this host is '{selector}': the PFs are "):
            interface_pool(unknown, selector)


def test_what_facts_by_hand_leave_out_is_not_known() -> None:
    by_hand = {"name": "enp1s0", "pci_address": "0000:01:00.0", "vfs": [{"index": 0, "name": "enp1s0v0", "pci_address": "0000:01:10.0"}]}
    for facts in (by_hand, {"pfs": [by_hand]}):
        assert interface_pool(facts, "enp1s0") == ["enp1s0v0"]
        with pytest.raises(AnsibleFilterError, match="No PF of this host is 'wan' .which altnames the PFs have is not known"):
            interface_pool(facts, "wan")
        with pytest.raises(AnsibleFilterError, match="Whether VF 0 of enp1s0 .* is in use is not known, so it is no free VF"):
            interface_pool(facts, unused=True)


def test_a_range_of_more_digits_than_python_reads_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="is no range of VF indices"):
        interface_pool(FACTS, "enp1s0", "9" * 5000)


@pytest.mark.parametrize("unused", ["yes", "true", True, 1])
def test_unused_may_be_written_in_any_way_that_ansible_reads_as_true(unused: Any) -> None:
    assert interface_pool(FACTS, "enp1s0", by="pci_address", unused=unused) == ["0000:01:10.0", "0000:01:10.2"]


@pytest.mark.parametrize("unused", ["no", "False", 0])
def test_unused_may_be_written_in_any_way_that_ansible_reads_as_false(unused: Any) -> None:
    assert len(interface_pool(FACTS, "enp1s0", by="pci_address", unused=unused)) == 4


@pytest.mark.parametrize("unused", ["only", None, [], 2])
def test_an_unused_that_is_neither_true_nor_false_is_refused(unused: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^interface_pool: unused is .*, but must be true or false\.$"):
        interface_pool(FACTS, "enp1s0", unused=unused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SELECTORS = st.sampled_from(["enp1s0", "wan", "01:00.0", "0000:02:00.0", "52:54:00:00:00:01", "enp1s0v1", "0000:01:10.1", "nosuch"]) | st.text(max_size=12)
RANGES = st.sampled_from(["0", "0-3", "1,3", "9", "0-"]) | st.integers() | st.text(max_size=8)


@st.composite
def inputs(draw: st.DrawFn) -> Any:
    """Facts, one PF of them, or anything; with up to three of their parts replaced, removed or made up."""
    found = copy.deepcopy(draw(st.sampled_from([FACTS, FACTS, FACTS["pfs"][0]]) | JSON))
    for _damage in range(draw(st.integers(0, 3))):
        part = found
        while isinstance(part, (dict, list)) and part:
            key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
            if not isinstance(part[key], (dict, list)) or draw(st.integers(0, 3)) == 0:
                if draw(st.booleans()):
                    part[key] = draw(JSON)
                else:
                    del part[key]
                break
            part = part[key]
    return json.loads(json.dumps(found))


@settings(max_examples=400, deadline=None)
@given(inputs(), SELECTORS | st.none(), RANGES | st.none(), st.sampled_from(["name", "pci_address"]), st.booleans(), st.sampled_from(["skip", "fail"]))
def test_whatever_it_is_given_the_filter_lists_devices_of_it_or_says_what_is_wrong(
    given_to_it: Any, pf: str | None, vfs: Any, by: str, unused: bool, nameless: str
) -> None:
    try:
        pool = interface_pool(given_to_it, pf, vfs, by, unused, nameless)
    except AnsibleFilterError as error:
        assert str(error).startswith("interface_pool: ")
        assert str(error).endswith(".")
    else:
        there = {vf[by] for one in given_to_it.get("pfs", [given_to_it]) for vf in one["vfs"]}
        assert isinstance(pool, list)
        assert set(pool) <= there - {None}
