"""A rater's session: balanced, and no guide to what comes next."""

from __future__ import annotations

import hashlib
import json
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

from study_app.design import trial_order
from study_app.design.schedule import draw_schedule
from study_app.design.settings import BALANCED, BIG_STICK, StudySettings
from study_app.design.trial_order import seats, turns
from study_app.pipeline.create import create
from study_app.store.messages import Answer
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import Person

pytestmark = pytest.mark.heavy

SESSIONS, TRIALS = 1000, 50
LAST = range(TRIALS - 10, TRIALS)
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
    return np.array(
        [[turn.first_on_left for turn in turns(7, rater, TRIALS, 7, BIG_STICK)] for rater in range(SESSIONS)]
    )


@effort(max_examples=60, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 10**6), st.integers(1, 60), st.integers(1, 8))
def test_sides_and_comparisons_are_balanced(seed: int, rater: int, workload: int, comparisons: int) -> None:
    drawn = turns(seed, rater, workload, comparisons, BIG_STICK)
    assert len(drawn) == workload
    sides = [turn.first_on_left for turn in drawn]
    assert all(abs(tilt(sides[:place])) <= trial_order.BIG_STICK for place in range(workload + 1))
    before = turns(seed, rater, workload, comparisons, BALANCED)
    assert abs(tilt([turn.first_on_left for turn in before])) <= 1
    assert [turn.comparison for turn in before] == [turn.comparison for turn in drawn]
    times = Counter(turn.comparison for turn in drawn)
    assert set(times) <= set(range(comparisons))
    assert max(times.values()) - min(times[c] for c in range(comparisons)) <= 1
    turns.cache_clear()
    assert turns(seed, rater, workload, comparisons, BIG_STICK) == drawn


def test_orders_within_the_stick_are_tosses_of_a_coin() -> None:
    drawn = Counter(tuple(turn.first_on_left for turn in turns(1, rater, 5, 1, BIG_STICK)) for rater in range(4000))
    assert len(drawn) == 2**5
    expected = 4000 / len(drawn)
    chi_square = sum((times - expected) ** 2 / expected for times in drawn.values())
    assert chi_square < 61.1  # of 31 degrees of freedom, the 99.9th percentile


def test_sessions_of_version_0_2_are_the_same_to_the_byte() -> None:
    """The hash is of the sessions that version 0.2.0 draws."""
    sessions = [turns(seed, rater, 50, 7, BALANCED) for seed in (0, 7) for rater in range(1, 40)]
    text = json.dumps([[(turn.comparison, turn.first_on_left) for turn in session] for session in sessions])
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "912fbefdcb347afa3fe74f63949c2955c47f4c1441d4a3b6016e5802dfb8f814"
    )


def test_settings_of_version_0_2_keep_their_sides(sqlite: str) -> None:
    study = Store(sqlite).open()
    kept = study.kept_settings()
    assert kept.pop("sides") == BIG_STICK
    assert StudySettings.from_json(json.dumps(kept)).sides == BALANCED


def test_a_seed_that_is_not_given_is_random_and_kept(run_folder: Path, tmp_path: Path) -> None:
    seeds = []
    for name in ("a", "b"):
        create(
            tmp_path / f"{name}.db",
            study_request(run_folder, seed=None, clips=4, workload=4, practice=0, catch=0, catch_pass=0),
        )
        study = Store(tmp_path / f"{name}.db").open()
        again = draw_schedule(study.settings, study.row.seed)
        assert again.sha256 == study.row.schedule_sha256
        seeds.append(study.row.seed)
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_that_does_not_look_is_right_in_half_of_the_trials(sessions: np.ndarray, name: str) -> None:
    pressed = np.array([PATTERNS[name](n) for n in range(TRIALS)])
    right = (sessions == pressed).mean(axis=1)
    assert abs(right.mean() - 0.5) < 3.3 * 0.5 / math.sqrt(SESSIONS * TRIALS)
    # nor do raters differ by much more than coin tosses would: a study of four is as safe as one of a thousand
    assert right.std() < 1.25 * 0.5 / math.sqrt(TRIALS)


@pytest.mark.parametrize("name", RULES)
def test_the_past_tells_little_and_the_end_no_more(sessions: np.ndarray, name: str) -> None:
    """Whoever knows all sides so far is right in at most 54.4 % of the last ten trials (Soares and Wu)."""
    last = [
        [0.5 if (guess := RULES[name](list(session[:n]))) is None else float(guess == session[n]) for n in LAST]
        for session in sessions
    ]
    right = np.array(last)
    assert right.mean() < 0.5 + 0.044 + 3.3 * 0.5 / math.sqrt(right.size)
    assert right[:, -1].mean() < 0.6  # the very last one too


def test_the_worth_of_counting_sides_is_that_of_the_big_stick(sessions: np.ndarray) -> None:
    """A walk of fair steps between two walls: whoever bets on the rarer side wins for sure at a wall, else half."""
    chance = np.zeros(2 * trial_order.BIG_STICK + 1)  # of each tilt
    chance[trial_order.BIG_STICK] = 1.0
    theory = []
    for _ in range(TRIALS):
        at_wall = chance[0] + chance[-1]
        theory.append(at_wall + (1 - at_wall) / 2)
        after = np.zeros_like(chance)
        after[1:] += chance[:-1] / 2
        after[:-1] += chance[1:] / 2
        after[1] += chance[0] / 2
        after[-2] += chance[-1] / 2
        chance = after
    expected = float(np.mean([theory[n] for n in LAST]))
    assert 0.535 < expected < 0.545
    rule = RULES["opposite to the tilt"]
    guesses = [[rule(list(session[:n])) for n in LAST] for session in sessions]
    right = np.array(
        [
            [0.5 if guess is None else float(guess == side) for guess, side in zip(row, session[LAST], strict=True)]
            for row, session in zip(guesses, sessions, strict=True)
        ]
    )
    assert abs(right.mean() - expected) < 3.3 * 0.5 / math.sqrt(right.size)


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
        assert abs(tilt(list(theirs["left"] == theirs["first"]))) <= trial_order.BIG_STICK


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
