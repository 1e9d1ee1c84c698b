# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import NOTHING, Plan


def refuse() -> None:
    raise SriovError("The driver refuses.", vf=3)


def break_down() -> None:
    raise OSError("disk full")


def test_an_empty_plan_changes_nothing() -> None:
    plan = Plan()
    plan.apply()
    assert (plan.changed, plan.actions) == (False, [])


def test_making_a_plan_does_nothing_until_it_is_applied() -> None:
    done: list[str] = []
    plan = Plan()
    plan.add("first", lambda: done.append("first"))
    plan.add("second", lambda: done.append("second"))
    assert (plan.changed, plan.actions, done) == (True, ["first", "second"], [])
    plan.apply()
    assert done == ["first", "second"]


def test_a_failure_undoes_the_failed_step_and_those_before_it_in_reverse() -> None:
    undone: list[str] = []
    plan = Plan()
    plan.add("first", lambda: None, lambda: undone.append("first"))
    plan.add("wait", lambda: None)
    plan.add("second", refuse, lambda: undone.append("second"))
    plan.add("never", lambda: undone.append("never"))
    with pytest.raises(SriovError) as caught:
        plan.apply()
    assert undone == ["second", "first"]
    assert str(caught.value) == "The driver refuses. Undone: second; first."
    assert caught.value.result == {"vf": 3}


def test_an_undo_that_finds_nothing_to_put_back_is_not_told() -> None:
    plan = Plan()
    plan.add("first", refuse, lambda: NOTHING)
    with pytest.raises(SriovError, match=r"^The driver refuses\.$"):
        plan.apply()


def test_an_undo_that_fails_is_named_and_the_others_still_run() -> None:
    undone: list[str] = []
    plan = Plan()
    plan.add("first", lambda: None, lambda: undone.append("first"))
    plan.add("second", lambda: None, break_down)
    plan.add("third", refuse)
    with pytest.raises(SriovError, match=r"Undone: first\. Could not be undone: second \(disk full\)\.$"):
        plan.apply()
    assert undone == ["first"]


def test_what_could_not_be_undone_is_told_whatever_it_was_that_failed() -> None:
    plan = Plan()
    plan.add("first", lambda: None, refuse)
    plan.add("second", break_down)
    with pytest.raises(SriovError, match=r"^disk full\. Could not be undone: first \(The driver refuses\.\)\.$"):
        plan.apply()
    plan = Plan()
    plan.add("first", break_down)
    with pytest.raises(OSError, match="^disk full$"):  # which whoever knows it puts into better words
        plan.apply()


def test_an_interruption_is_undone_too_and_passed_on_unchanged() -> None:
    undone: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    plan = Plan()
    plan.add("first", interrupt, lambda: undone.append("first"))
    with pytest.raises(KeyboardInterrupt):
        plan.apply()
    assert undone == ["first"]
