"""A rater's session: balanced, and no guide to what comes next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scipy.stats import binomtest

from study_app.design.trial_order import seats, turns
from study_app.pipeline.create import create
from study_app.store.messages import Answer
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import Person

SESSIONS, TRIALS = 1000, 50
#: What raters press who do not look: for trial n, left or not.
PATTERNS: dict[str, Callable[[int], bool]] = {
    "always left": lambda n: True,
    "left, right": lambda n: n % 2 == 0,
    "right, left": lambda n: n % 2 == 1,
    "two and two": lambda n: n % 4 < 2,
    "three and three": lambda n: n % 6 < 3,
    "two left, one right": lambda n: n % 3 < 2,
    "one half, other half": lambda n: n < TRIALS // 2,
    "left, right, right, left": lambda n: n % 4 in (0, 3),
}


def tilt(sides: Sequence[bool]) -> int:
    return sum(1 if left else -1 for left in sides)


#: What somebody who has seen every side so far expects next; None: no idea.
RULES: dict[str, Callable[[Sequence[bool]], bool | None]] = {
    "alternate": lambda past: not past[-1] if past else None,
    "repeat": lambda past: past[-1] if past else None,
    "opposite to the tilt": lambda past: None if tilt(past) == 0 else tilt(past) < 0,
    "with the tilt": lambda past: None if tilt(past) == 0 else tilt(past) > 0,
    "after two alike the other": lambda past: None if len(past) < 2 or past[-1] != past[-2] else not past[-1],
    "as two before": lambda past: past[-2] if len(past) > 1 else None,
    "opposite to the last four": lambda past: None if tilt(past[-4:]) == 0 else tilt(past[-4:]) < 0,
}


@pytest.fixture(scope="module")
def sessions() -> np.ndarray:
    """Sides of a thousand raters, [rater, trial]."""
    return np.array([[turn.first_on_left for turn in turns(7, rater, TRIALS, 7)] for rater in range(SESSIONS)])


def hits(rule: Callable[[Sequence[bool]], bool | None], session: Sequence[bool]) -> float:
    """How often a rule is right in a session; where it has no idea it is right half of the time."""
    guesses = [(rule(session[:n]), side) for n, side in enumerate(session)]
    return sum(0.5 if guess is None else float(guess == side) for guess, side in guesses)


@effort(max_examples=60, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 10**6), st.integers(1, 60), st.integers(1, 8))
def test_sides_and_comparisons_are_balanced(seed: int, rater: int, workload: int, comparisons: int) -> None:
    drawn = turns(seed, rater, workload, comparisons)
    assert len(drawn) == workload
    assert abs(tilt([turn.first_on_left for turn in drawn])) <= 1
    times = Counter(turn.comparison for turn in drawn)
    assert set(times) <= set(range(comparisons))
    assert max(times.values()) - min(times[c] for c in range(comparisons)) <= 1
    turns.cache_clear()
    assert turns(seed, rater, workload, comparisons) == drawn


def test_every_balanced_order_is_as_probable_as_any_other() -> None:
    drawn = Counter(tuple(turn.first_on_left for turn in turns(1, rater, 6, 1)) for rater in range(4000))
    assert len(drawn) == math.comb(6, 3)
    expected = 4000 / len(drawn)
    chi_square = sum((times - expected) ** 2 / expected for times in drawn.values())
    assert chi_square < 43.8  # of 19 degrees of freedom, the 99.9th percentile


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_that_does_not_look_is_right_in_half_of_the_trials(sessions: np.ndarray, name: str) -> None:
    pressed = np.array([PATTERNS[name](n) for n in range(TRIALS)])
    right = (sessions == pressed).mean(axis=1)
    assert abs(right.mean() - 0.5) < 3.3 * 0.5 / math.sqrt(SESSIONS * TRIALS)
    # nor do raters differ by more than coin tosses would: a study of four is as safe as one of a thousand
    assert right.std() < 1.1 * 0.5 / math.sqrt(TRIALS)


@pytest.mark.parametrize("name", RULES)
def test_the_past_tells_no_more_than_that_the_session_is_balanced(sessions: np.ndarray, name: str) -> None:
    rng = np.random.default_rng(3)
    shuffled = [list(rng.permutation(np.arange(TRIALS) < TRIALS // 2)) for _ in range(SESSIONS)]
    ours = np.array([hits(RULES[name], list(session)) for session in sessions]) / TRIALS
    theirs = np.array([hits(RULES[name], session) for session in shuffled]) / TRIALS
    error = math.hypot(ours.std(), theirs.std()) / math.sqrt(SESSIONS)
    assert abs(ours.mean() - theirs.mean()) < 3.3 * error
    if "tilt" not in name:  # at most the one in fifty that "not the one just taken" is worth
        assert abs(ours.mean() - 0.5) < 0.5 / (TRIALS - 1) + 3.3 * error


def test_the_worth_of_counting_sides_is_that_of_any_balanced_order(sessions: np.ndarray) -> None:
    """Who knows all sides so far and bets on the rarer one is right in 1/2 + (4^m / C(2m, m) - 1) / 4m of 2m trials.

    A balanced walk of 2m steps comes back to zero as often as it leaves it, so "opposite to the tilt" is right in half
    of all steps, and in half of those that start at zero, of which there are 4^m / C(2m, m) - 1 on average.
    """
    m = TRIALS // 2
    theory = 0.5 + (4**m / math.comb(2 * m, m) - 1) / (4 * m)
    right = np.array([hits(RULES["opposite to the tilt"], list(session)) for session in sessions]) / TRIALS
    assert abs(right.mean() - theory) < 3.3 * right.std() / math.sqrt(SESSIONS)


@pytest.mark.parametrize("name", PATTERNS)
def test_raters_who_press_a_pattern_prefer_nobody(run_folder: Path, template: Path, tmp_path: Path, name: str) -> None:
    one = {"comparisons": (("mdgan-2", "vgan"),), "clips": 16, "votes": 4, "workload": 16}
    create(tmp_path / "s.db", study_request(run_folder, **one, practice=0, catch=0, catch_pass=0))
    study = Store(tmp_path / "s.db").open()
    for number in range(4):
        token = f"a rater who does not look, number {number}"
        study.enrol(token)
        view, n = study.view(token), 0
        while view.state == "rating":
            view = study.vote(token, view.trials[0], Answer("left" if PATTERNS[name](n) else "right", 3000))
            n += 1
    votes = study.votes()
    assert len(votes) >= 60
    assert binomtest(int((votes["chosen"] == "mdgan-2").sum()), len(votes), 0.5).pvalue > 0.01


def test_every_rater_sees_every_comparison_about_as_often(sqlite: str) -> None:
    people = [Person(Store(sqlite)) for _ in range(3)]
    for person in people:
        person.finish()
    votes = people[0].study.votes()
    trials = votes[~votes["practice"] & ~votes["catch"]]
    for _, theirs in trials.groupby("rater"):
        times = theirs["comparison"].value_counts()
        assert (len(times), times.min(), times.max()) == (7, 3, 4)
        assert abs(tilt(list(theirs["left"] == theirs["first"]))) <= 1


@effort(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 10**6), st.integers(0, 5), st.integers(0, 10), st.integers(1, 40))
def test_a_raters_practice_and_catch_trials(seed: int, rater: int, practice: int, catch: int, workload: int) -> None:
    places = seats(seed, rater, practice, catch, workload)
    positions = [seat.position for seat in places]
    assert len(set(positions)) == practice + catch
    assert sorted(s.position for s in places if s.kind == "practice") == list(range(practice))
    assert all(practice <= s.position < practice + catch + workload for s in places if s.kind == "catch")
    for kind in ("practice", "catch"):
        mine = [s for s in places if s.kind == kind]
        assert sorted(s.pair for s in mine) == list(range(len(mine)))
        assert abs(sum(1 if s.first_on_left else -1 for s in mine)) <= 1
