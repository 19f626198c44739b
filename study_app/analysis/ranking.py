"""Ranking of methods from all comparisons together: strengths, their differences, and possible ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t

from bench.statistics import holm
from bench.statistics.two_way_clusters import FEW, LEVEL, Crossing
from study_app.analysis.bradley_terry import Apart, Fit, components, fit, largest, strengths, table_of_wins, tosses
from study_app.analysis.preference_scores import counted

ALPHA = 1 - LEVEL
#: Frozen column names; if the votes do not bound an end of an interval, it is infinite.
STRENGTH_COLUMNS = ["system", "strength", "ci_low", "ci_high", "wins", "votes", "group"]
CONTRAST_COLUMNS = ["first", "second", "difference", "ci_low", "ci_high", "p", "p_holm", "group"]
RANK_COLUMNS = ["system", "best", "worst", "group"]
INFINITE = float("inf")
Floats = NDArray[np.float64]


def connectivity(votes: pd.DataFrame) -> list[list[str]]:
    """Groups of methods that comparisons connect; strengths are comparable only within a group."""
    return [group.systems for group in _groups(votes)]


@dataclass(frozen=True)
class _Group:
    """Methods that votes connect.

    Attributes:
        systems: sorted names.
        winner, loser: [N] index of the winning and of the losing method of each vote.
        part: [S] index of each method's strongly connected part.
        fits: fit of each part that has several methods.
        strengths: [S] Firth's strengths, with mean 0 over the largest part (all methods if they are one part).
        apart: votes between parts.
    """

    systems: list[str]
    winner: NDArray[np.int64]
    loser: NDArray[np.int64]
    part: NDArray[np.int64]
    fits: dict[int, Fit]
    strengths: Floats
    apart: Apart

    @property
    def core(self) -> int:
        """Index of the part whose mean strength is 0."""
        return largest(self.part, self.apart.wins.sum(axis=0) + self.apart.wins.sum(axis=1))

    def contrast(self, weights: Floats) -> tuple[float, float, float]:
        """Ends and p value of a contrast between methods of one part, by t.

        With fewer than `FEW` raters or videos, each counts as one coin toss, as in `two_way_clusters`.
        """
        part = int(self.part[np.flatnonzero(weights)[0]])
        fit = self.fits[part]
        value, error = fit.contrast(weights[self.part == part])
        if not np.isfinite(error):
            return -INFINITE, INFINITE, 1.0
        half = float(t.isf(ALPHA / 2, fit.freedom)) * error
        low, high, p_value = value - half, value + half, float(2 * t.sf(abs(value) / error, fit.freedom))
        if fit.units < FEW:
            end = float(logit((ALPHA / 2) ** (1 / fit.units)))
            low, high = (min(low, end), high) if value > 0 else (low, max(high, -end))
            p_value = max(p_value, 2 * 0.5**fit.units)
        return low, high, min(1.0, p_value)

    def across(self, one: int, other: int | None) -> tuple[float, float, float]:
        """Ends and p value of the difference between methods of two parts; if `other` is None, from the core's mean."""
        parts = int(self.part[one]), self.core if other is None else int(self.part[other])
        inner = self.apart.within[one] - (0.0 if other is None else self.apart.within[other])
        probe = int(np.flatnonzero(self.part == parts[1])[0])
        for sign, (upper, lower) in ((1.0, parts), (-1.0, parts[::-1])):
            ends = (one, probe) if sign > 0 else (probe, one)
            if self.apart.above(*ends):
                least = self.apart.bound(upper, lower, LEVEL) + sign * inner
                p_value = min(1.0, 2 * float(np.exp(self.apart.log_likelihood(-sign * inner, upper, lower))))
                return (least, INFINITE, p_value) if sign > 0 else (-INFINITE, -least, p_value)
        return -INFINITE, INFINITE, 1.0


def _groups(votes: pd.DataFrame) -> Iterator[_Group]:
    counting = counted(votes)
    names = sorted({*counting["first"], *counting["second"]})
    won = (counting["chosen"] == counting["first"]).to_numpy()
    numbers = [counting[side].map(names.index).to_numpy(np.int64) for side in ("first", "second")]
    winner, loser = np.where(won, *numbers), np.where(won, *numbers[::-1])
    if not names:
        return
    groups = components(winner, loser, len(names), "weak")
    for number in range(groups.max() + 1):
        members = np.flatnonzero(groups == number)
        inside = groups[winner] == number
        yield _group([names[i] for i in members], members, winner[inside], loser[inside], counting[inside])


def _group(
    systems: list[str],
    indices: NDArray[np.intp],
    winner: NDArray[np.int64],
    loser: NDArray[np.int64],
    votes: pd.DataFrame,
) -> _Group:
    winner, loser = np.searchsorted(indices, winner), np.searchsorted(indices, loser)
    part = components(winner, loser, len(systems), "strong")
    wins = table_of_wins(winner, loser, len(systems))
    within, fits = np.zeros(len(systems)), {}
    for number in set(part.tolist()):
        members = np.flatnonzero(part == number)
        if len(members) > 1:
            inside = (part[winner] == number) & (part[loser] == number)
            crossing = Crossing.of(list(votes["rater"][inside]), list(votes["video"][inside]))
            won, lost = (np.searchsorted(members, side[inside]) for side in (winner, loser))
            fits[number] = fit(won, lost, len(members), crossing)
            within[members] = fits[number].strengths
    core = part == largest(part, wins.sum(axis=0) + wins.sum(axis=1))
    all_of_them = strengths(wins)[0]
    shown = np.where(core, within, all_of_them - all_of_them[core].mean())
    worth = tosses(winner, loser, part, Crossing.of(list(votes["rater"]), list(votes["video"])))
    return _Group(systems, winner, loser, part, fits, shown, Apart(part, within, wins, worth))


def bradley_terry(votes: pd.DataFrame) -> pd.DataFrame:
    """Strengths with 95 % intervals, strongest first, as `STRENGTH_COLUMNS`.

    Strengths are log odds with mean 0 over each connected group. The stronger of two methods is chosen with probability
    1 / (1 + exp(−difference)). If a method won (or lost) every vote against the others, its strength is only bounded.
    Its interval is then open on one side, and means are taken over the others. Intervals are over raters and source
    videos, by t.
    """
    rows = []
    for number, group in enumerate(_groups(votes), start=1):
        wins, losses = group.apart.wins.sum(axis=1), group.apart.wins.sum(axis=0)
        members = group.part == group.core
        for i, name in enumerate(group.systems):
            if not members[i]:
                low, high, _ = group.across(i, None)
            elif members.sum() > 1:
                weights = np.where(members, -1 / members.sum(), 0.0)
                weights[i] += 1.0
                low, high, _ = group.contrast(weights)
            else:
                low = high = np.nan  # the core is this method alone: the others are measured from it
            rows.append([name, group.strengths[i], low, high, int(wins[i]), int(wins[i] + losses[i]), number])
    table = pd.DataFrame(rows, columns=STRENGTH_COLUMNS)
    return table.sort_values(["group", "strength"], ascending=[True, False], ignore_index=True)


def contrasts(votes: pd.DataFrame) -> pd.DataFrame:
    """Differences of strengths of all pairs of methods in a group, as `CONTRAST_COLUMNS`, the stronger one first.

    p is for equal strengths; `p_holm` is corrected over all pairs. If all votes between two parts of a group go one
    way, the interval is open and p is exact, as in `bradley_terry`.
    """
    rows: list[list[object]] = []
    for number, group in enumerate(_groups(votes), start=1):
        order = np.argsort(-group.strengths, kind="stable")
        for one, other in combinations(order.tolist(), 2):
            names = [group.systems[one], group.systems[other]]
            if group.part[one] == group.part[other]:
                weights = np.zeros(len(group.systems))
                weights[one], weights[other] = 1.0, -1.0
                difference = group.apart.within[one] - group.apart.within[other]
                rows.append([*names, difference, *group.contrast(weights), np.nan, number])
            else:
                difference = group.strengths[one] - group.strengths[other]
                rows.append([*names, difference, *group.across(one, other), np.nan, number])
    table = pd.DataFrame(rows, columns=CONTRAST_COLUMNS)
    if len(table):
        table["p_holm"] = holm(table["p"])
    return table


@dataclass(frozen=True)
class OneSided:
    """A difference of strengths, and p of "it is as large as the limit, or larger", by two one-sided tests."""

    first: str
    second: str
    value: float
    p: float


def one_sided(votes: pd.DataFrame, limit: float) -> list[OneSided]:
    """Tests of all pairs of methods in a group, the stronger one first; p is 1 for methods of different parts."""
    found = []
    for group in _groups(votes):
        for one, other in combinations(np.argsort(-group.strengths, kind="stable").tolist(), 2):
            value, p_value = float(group.strengths[one] - group.strengths[other]), 1.0
            if group.part[one] == group.part[other]:
                fit = group.fits[int(group.part[one])]
                weights = np.zeros(len(group.systems))
                weights[one], weights[other] = 1.0, -1.0
                value, error = fit.contrast(weights[group.part == group.part[one]])
                if np.isfinite(error):
                    p_value = float(t.sf((limit - abs(value)) / error, fit.freedom))
            found.append(OneSided(group.systems[one], group.systems[other], value, p_value))
    return found


def rank_sets(pairs: pd.DataFrame) -> pd.DataFrame:
    """Best and worst possible rank of each method within its group, from `contrasts`, as `RANK_COLUMNS`.

    A method ranks below those that are significantly stronger and above those that are significantly weaker. p values
    are Holm-corrected over all pairs. In 95 % of studies, all true ranks are therefore in their sets simultaneously
    (Klein, Wright and Wieczorek, Journal of the Royal Statistical Society A 2020).
    """
    rows = []
    for number, inside in pairs.groupby("group"):
        sure = inside[inside["p_holm"] < ALPHA]
        systems = list(dict.fromkeys([*inside["first"], *inside["second"]]))
        for name in systems:
            stronger, weaker = (sure["second"] == name).sum(), (sure["first"] == name).sum()
            rows.append([name, 1 + int(stronger), len(systems) - int(weaker), number])
    return pd.DataFrame(rows, columns=RANK_COLUMNS).sort_values(["group", "best", "worst"], ignore_index=True)
