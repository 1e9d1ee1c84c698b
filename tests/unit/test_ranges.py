# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges


@pytest.mark.parametrize(
    ("text", "indices"),
    [("0", [0]), (3, [3]), ("0-3,6", [0, 1, 2, 3, 6]), (" 6 , 0 - 1 ", [0, 1, 6]), ("9,8,10", [8, 9, 10]), ("7-7", [7])],
)
def test_a_range_names_its_indices_in_ascending_order(text: str, indices: list[int]) -> None:
    assert parse_ranges(text) == indices


@pytest.mark.parametrize("text", ["", ",", "1,", "a", "1-", "-1", "1--2", "1-2-3", "0x1", "1.5", "٣", "0;1", "1 2"])
def test_a_malformed_range_is_refused_with_an_example_of_a_good_one(text: str) -> None:
    with pytest.raises(SriovError, match="is no range of VF indices: .* such as 0-3,6"):
        parse_ranges(text)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(SriovError, match="runs backwards in '3-1'"):
        parse_ranges("0,3-1")


def test_an_index_named_twice_is_refused() -> None:
    with pytest.raises(SriovError, match="names VF 2 twice"):
        parse_ranges("0-2,2-4")


def test_a_range_that_no_card_can_have_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(SriovError, match="no PF has more than 65535 VFs"):
        parse_ranges("0-99999999999")


def test_the_message_names_the_option_of_the_user() -> None:
    with pytest.raises(SriovError, match="^index 'x' is no range"):
        parse_ranges("x", option="index")


@given(st.sets(st.integers(0, 300), min_size=1))
def test_what_is_formatted_is_read_back_the_same(indices: set[int]) -> None:
    assert parse_ranges(format_ranges(indices)) == sorted(indices)


def test_neighbours_are_written_as_one_run() -> None:
    assert format_ranges([6, 0, 1, 2]) == "0-2,6"
