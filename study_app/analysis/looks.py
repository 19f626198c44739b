"""Decisions at each planned look at a study, with Holm's correction over comparisons at every look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from study_app.analysis.preference_scores import pos_table
from study_app.design.planned_looks import levels

ALPHA = 0.05
#: Frozen column names of `looks.csv`. `fraction`: share of all planned votes. `level`: p must be below it at this look;
#: it includes Holm's correction. `decided`: number of the look that decided the comparison, 0 while none has.
LOOK_COLUMNS = ["look", "looks", "fraction", "comparison", "first", "second", "votes", "pos", "p", "level", "decided"]


def looks_table(
    votes: pd.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    ends: Sequence[datetime],
    fractions: Sequence[float],
    looks: int,
    shape: str,
) -> pd.DataFrame:
    """Table of all looks so far, as `LOOK_COLUMNS`.

    Args:
        votes: all votes, with their times.
        comparisons: comparisons of the study.
        ends: end of each look except the last one: the times when the study was extended.
        fractions: share of all planned votes at each look.
        looks: number of planned looks.
        shape: shape of the bounds.

    Raises:
        BenchError: as in `planned_looks.levels`.
    """
    times = pd.to_datetime(votes["time_utc"], utc=True, format="ISO8601")
    decided: dict[str, int] = {}
    lines = []
    for look in range(1, len(fractions) + 1):
        by_then = votes if look > len(ends) else votes[times < pd.Timestamp(ends[look - 1]).tz_convert("UTC")]
        table = pos_table(by_then, comparisons) if len(by_then) else pos_table(votes.iloc[:0], comparisons)
        of = dict(zip(table["comparison"], table["p"].fillna(1.0).astype(float), strict=True))
        at = dict.fromkeys(of, np.nan)
        # Holm's step-down: a comparison decided at this look or earlier passes its share of 5 % to the others
        for name in sorted((name for name in of if name not in decided), key=lambda name: of[name]):
            at[name] = float(levels(fractions[:look], looks, shape, ALPHA / (len(of) - len(decided)))[-1])
            if of[name] < at[name]:
                decided[name] = look
        head = [look, looks, fractions[look - 1]]
        lines += [
            [*head, *line[["comparison", "first", "second", "votes", "pos", "p"]], at[line["comparison"]],
             decided.get(line["comparison"], 0)]
            for _, line in table.iterrows()
        ]  # fmt: skip
    return pd.DataFrame(lines, columns=LOOK_COLUMNS)
