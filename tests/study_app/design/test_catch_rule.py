"""The rule on catch trials, against probabilities worked out by hand."""

from __future__ import annotations

import itertools

import pytest

from bench.errors import BenchError
from study_app.design.catch_rule import CatchRule, smallest_rule, strictest_rule

NINE_OF_TEN = CatchRule(10, 9)


def test_what_a_rule_gets_wrong_is_counted_outcome_by_outcome() -> None:
    for rule in (NINE_OF_TEN, CatchRule(8, 7), CatchRule(5, 4)):
        outcomes = [sum(answers) for answers in itertools.product((0, 1), repeat=rule.planned)]
        passing = [right for right in outcomes if right >= rule.needed]
        assert rule.random_passes == pytest.approx(len(passing) / len(outcomes))
        kept = sum(0.98**right * 0.02 ** (rule.planned - right) for right in passing)
        assert rule.attentive_fails == pytest.approx(1 - kept)


def test_a_rater_is_out_as_soon_as_the_rule_cannot_be_met() -> None:
    assert NINE_OF_TEN.verdict(0, 1) == "open"
    assert NINE_OF_TEN.verdict(0, 2) == "failed"
    assert NINE_OF_TEN.verdict(8, 9) == "open"
    assert NINE_OF_TEN.verdict(9, 10) == "passed"
    assert NINE_OF_TEN.verdict(8, 10) == "failed"
    for answers in itertools.product((0, 1), repeat=6):  # whoever fails at some point fails at the end too
        rule, states = CatchRule(6, 5), []
        for had in range(7):
            states.append(rule.verdict(sum(answers[:had]), had))
        assert states[-1] == ("passed" if sum(answers) >= 5 else "failed")
        assert "failed" not in states or set(states[states.index("failed") :]) == {"failed"}


def test_who_leaves_early_counts_only_where_a_random_clicker_would_not_have_done_as_well() -> None:
    assert not NINE_OF_TEN.counts_after_leaving(0, 0)
    assert not NINE_OF_TEN.counts_after_leaving(4, 4)  # 1 in 16 at random
    assert NINE_OF_TEN.counts_after_leaving(5, 5)  # 1 in 32
    assert not NINE_OF_TEN.counts_after_leaving(5, 6)
    assert NINE_OF_TEN.counts_after_leaving(7, 8)
    assert not NINE_OF_TEN.counts_after_leaving(7, 9)  # out already
    assert NINE_OF_TEN.counts_after_leaving(9, 10)
    # leaving whenever it suits helps nobody much: a random clicker who leaves at the best moment
    counts = {
        (right, had): NINE_OF_TEN.counts_after_leaving(right, had) for had in range(11) for right in range(had + 1)
    }
    lucky = sum(
        any(counts[sum(answers[:had]), had] for had in range(11)) for answers in itertools.product((0, 1), repeat=10)
    )
    assert lucky / 2**10 < 0.06


def test_what_is_too_short_to_tell_anybody_apart_is_refused() -> None:
    assert smallest_rule() == CatchRule(8, 7)
    for rule in (NINE_OF_TEN, CatchRule(8, 7), CatchRule(20, 18), CatchRule(0, 0)):
        rule.check()
    for planned, needed, sentence in (
        (2, 2, "25 % of random clickers"),
        (4, 4, "6 % of random clickers"),
        (6, 6, "fails 11 % of attentive raters"),
        (10, 5, "passes 62 % of random clickers"),
        (4, 5, "cannot pass 5"),
    ):
        with pytest.raises(BenchError, match=sentence):
            CatchRule(planned, needed).check()
    assert CatchRule(0, 0).verdict(0, 0) == "passed"


def test_as_much_is_asked_as_attentive_raters_can_give() -> None:
    asked = {planned: strictest_rule(planned).needed for planned in (0, 1, 2, 4, 8, 9, 10, 20)}
    assert asked == {0: 0, 1: 1, 2: 2, 4: 3, 8: 7, 9: 8, 10: 9, 20: 18}
    assert not CatchRule(0, 0).is_weak
    assert CatchRule(4, 3).is_weak
