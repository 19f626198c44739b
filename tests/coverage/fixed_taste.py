"""Few raters, each of a fixed taste: votes that agree because few people cast them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis import ranking
from tests.coverage.people import ALPHA, table_of_votes

RATERS = (2, 3, 4, 5, 6, 8, 12, 20)


def tastes(raters: int, votes: int, slips: float, repeats: int, seed: int = 0) -> NDArray[np.float64]:
    """[repeats, raters · votes] 1 where the first was chosen.

    Half of all people prefer the first and half the second, always; but in a share `slips` of their votes.
    """
    rng = np.random.default_rng([seed, raters, votes])
    taste = rng.random((repeats, raters)) < 0.5
    slipped = rng.random((repeats, raters, votes)) < slips
    return np.asarray((taste[..., None] ^ slipped).reshape(repeats, -1), np.float64)


def pos(raters: int, votes: int, slips: float, repeats: int, seed: int = 0) -> tuple[float, float]:
    """Of a POS whose truth is one half: coverage of its interval, and how often p < 5 %. Each clip is a video."""
    wins = tastes(raters, votes, slips, repeats, seed)
    crossing = Crossing.of(np.repeat(np.arange(raters), votes), np.tile(np.arange(votes), raters))
    found = shares(wins, crossing)
    return float(np.mean((found.low <= 0.5) & (found.high >= 0.5))), float(np.mean(found.p_value < ALPHA))


def strengths(raters: int, votes: int, slips: float, repeats: int, seed: int = 0) -> float:
    """How often two systems of equal strength are found to differ at 5 %."""
    wins = tastes(raters, votes, slips, repeats, seed)
    clips = np.tile(np.arange(votes), raters)
    table = table_of_votes(
        ["a"] * wins.shape[1], ["b"] * wins.shape[1], clips, clips, np.arange(wins.shape[1]) // votes
    )
    found = [ranking.contrasts(table.assign(chosen=np.where(won > 0, "a", "b")))["p"].iloc[0] < ALPHA for won in wins]
    return float(np.mean(found))


def unequal(raters: int, repeats: int, seed: int = 0) -> pd.DataFrame:
    """The same with sessions of 1 to 60 votes, a tenth of them slips: a line a repeat, as covered and found."""
    rng = np.random.default_rng([seed, raters])
    lines = []
    for _ in range(repeats):
        sizes = 1 + rng.integers(0, 60, raters)
        rater = np.repeat(np.arange(raters), sizes)
        taste = rng.random(raters) < 0.5
        won = (taste[rater] ^ (rng.random(len(rater)) < 0.1)).astype(float)
        found = shares(won, Crossing.of(rater, rng.integers(0, 40, len(rater))))
        lines.append((bool(found.low <= 0.5 <= found.high), bool(found.p_value < ALPHA)))
    return pd.DataFrame(lines, columns=["covered", "found"])
