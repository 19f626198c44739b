"""Davidson's model of ties: its own example, a general optimiser, Bradley and Terry's as a limit, and coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from study_app.analysis import davidson
from study_app.analysis.bradley_terry import strengths, table_of_wins
from study_app.design.questions import TIE
from tests.coverage.people import table_of_votes

#: Davidson 1970, example 2, six chocolate puddings: i, j, votes for i, votes for j, ties.
PUDDINGS = [
    (1, 2, 19, 22, 16), (1, 3, 16, 19, 12), (2, 3, 19, 19, 10), (1, 4, 18, 23, 13), (2, 4, 23, 19, 9),
    (3, 4, 19, 20, 15), (1, 5, 13, 19, 18), (2, 5, 16, 20, 12), (3, 5, 16, 15, 17), (4, 5, 17, 14, 16),
    (1, 6, 18, 21, 12), (2, 6, 22, 20, 12), (3, 6, 13, 18, 10), (4, 6, 14, 19, 18), (5, 6, 11, 21, 12),
]  # fmt: skip


def spelled_out(table: list[tuple[int, int, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [
        (i - 1, j - 1, outcome)
        for i, j, won, lost, tied in table
        for outcome, times in ((1, won), (-1, lost), (0, tied))
        for _ in range(times)
    ]
    one, other, outcome = np.array(rows).T
    return one, other, outcome


def test_the_puddings() -> None:
    found = davidson.fit(*spelled_out(PUDDINGS), 6)
    assert found is not None
    assert [round(worth, 4) for worth in found.worths] == [0.1388, 0.1730, 0.1617, 0.1654, 0.1587, 0.2024]
    assert round(found.nu, 4) == 0.7468
    # seven digits that are in circulation are those of an iteration that was stopped: they are less likely
    stopped = np.array([0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855])
    assert list(found.worths) == pytest.approx(list(stopped), abs=3e-5)
    assert log_likelihood(found.worths, found.nu) > log_likelihood(stopped, 0.7468147)


def log_likelihood(worths: np.ndarray, nu: float) -> float:
    """Of the puddings, term by term."""
    total = 0.0
    for i, j, won, lost, tied in PUDDINGS:
        one, other = worths[i - 1], worths[j - 1]
        tie = nu * np.sqrt(one * other)
        total += np.dot([won, lost, tied], np.log(np.array([one, other, tie]) / (one + other + tie)))
    return float(total)


def test_it_is_the_maximum_of_the_likelihood() -> None:
    rng = np.random.default_rng(5)
    one, other = np.array([(a, b) for a, b in rng.integers(0, 4, (300, 2)) if a != b]).T
    outcome = rng.integers(-1, 2, len(one))

    def lost(places: np.ndarray) -> float:
        worth, nu = np.exp(places[:4]), np.exp(places[4])
        tie = nu * np.sqrt(worth[one] * worth[other])
        weight = np.where(outcome > 0, worth[one], np.where(outcome < 0, worth[other], tie))
        return -float(np.log(weight / (worth[one] + worth[other] + tie)).sum()) + 1e-6 * float(places[:4].sum() ** 2)

    found = davidson.fit(one, other, outcome, 4)
    best = minimize(lost, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
    assert found is not None
    assert list(found.strengths) == pytest.approx(list(best[:4] - best[:4].mean()), abs=1e-5)
    assert found.nu == pytest.approx(np.exp(best[4]), abs=1e-5)


def test_with_few_ties_it_is_nearly_bradley_and_terrys() -> None:
    rng = np.random.default_rng(6)
    one, other = np.array([(a, b) for a, b in rng.integers(0, 3, (6000, 2)) if a != b]).T
    outcome = np.where(rng.random(len(one)) < 0.6, 1, -1)
    outcome[0] = 0
    found = davidson.fit(one, other, outcome, 3)
    decided = outcome != 0
    winner, loser = (np.where(outcome > 0, *pair)[decided] for pair in ((one, other), (other, one)))
    assert found is not None
    assert list(found.strengths) == pytest.approx(list(strengths(table_of_wins(winner, loser, 3))[0]), abs=2e-3)


def test_there_is_no_maximum_without_ties_or_without_a_way_back() -> None:
    one, other = np.array([0, 0, 1, 0]), np.array([1, 1, 2, 1])
    assert davidson.fit(one, other, np.array([1, -1, 1, 1]), 3) is None  # no tie
    assert davidson.fit(one, other, np.array([0, 0, 0, 0]), 3) is None  # nothing else
    assert davidson.fit(one, other, np.array([1, -1, 1, 0]), 3) is None  # 2 never won against 1
    assert davidson.strengths_with_ties(drawn(1, 0.0, 1)).empty


def drawn(seed: int, nu: float, repeats: int) -> pd.DataFrame:
    """Votes of 15 raters with ties, whose raters lean to the first by 0.5 (deviation)."""
    rng = np.random.default_rng(seed)
    truth = {"a": 0.8, "b": 0.0, "c": -0.8}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    first, second = zip(*[pairs[n % 3] for n in range(300 * repeats)], strict=True)
    numbers = np.arange(300 * repeats)
    votes = table_of_votes(list(first), list(second), numbers // 3 % 50, numbers // 3 % 50, numbers // 3 % 15)
    lean = 0.5 * rng.normal(size=15)[numbers // 3 % 15]
    half = (votes["first"].map(truth) - votes["second"].map(truth) + lean).to_numpy() / 2
    weights = np.column_stack([np.exp(half), np.exp(-half), np.full(len(half), nu)])
    choice = (rng.random(len(half))[:, None] > np.cumsum(weights / weights.sum(axis=1)[:, None], axis=1)).sum(axis=1)
    return votes.assign(chosen=np.choose(choice, [votes["first"], votes["second"], TIE]))


@pytest.mark.heavy
def test_its_intervals_hold_the_strengths() -> None:
    hits = []
    for seed in range(60):
        table = davidson.strengths_with_ties(drawn(seed, 0.7, 1)).set_index("system")
        assert table["worth"].sum() == pytest.approx(1.0)
        for system, value in (("a", 0.8), ("b", 0.0), ("c", -0.8)):
            hits.append(table.loc[system, "ci_low"] <= value <= table.loc[system, "ci_high"])
    assert 0.9 <= np.mean(hits) <= 1.0
