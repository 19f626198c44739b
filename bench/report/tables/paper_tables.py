"""The tables of the MD-GAN paper (Xiong et al., CVPR 2018) in its own layout, with our numbers next to the paper's.

Tables II and III: preference opinion scores (POS), the percentage of trials in which the first of two methods is judged
more realistic. Table IV: pixel metrics on 1,000 random test pairs of the Beach dataset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.interface import PaperTables
from bench.metrics.base import Direction
from bench.registry import METRICS, PAPERS
from bench.report.row_names import RowNames
from bench.report.tables.printed_table import NO_VALUE, Cell, ColumnEntry, Grid, Line, best_values, format_column
from bench.scoring.score_tables import SummaryLine

#: Registered name of the paper.
NAME = "mdgan"
#: Note to Tables II and III.
INTERVALS = (
    "In brackets: 95 % interval over raters and source videos. The paper had 100 trials per line and no interval."
)
SIMULATED = "Simulated raters, not people."
#: Decimal places in the paper's Table IV.
_DIGITS = 4


def paper() -> PaperTables:
    """The numbers that the paper printed."""
    tables: PaperTables = PAPERS.load(NAME)
    return tables


def pos_table(name: str, pos: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> Grid:
    """Table II or III.

    Args:
        name: "table2" or "table3".
        pos: lines of a study's `pos.csv` (keys first, second, votes, pos, ci_low, ci_high, simulated), in percent.
        notes: notes to read with the numbers.

    A comparison that the study made in the opposite order is reversed. One without votes is printed as a dash.
    """
    printed = paper()
    caption, comparisons = printed.preference_tables[name]
    simulated = any(bool(line["simulated"]) for line in pos)
    found = {(line["first"], line["second"]): line for line in pos if line["votes"]}
    lines = []
    for label, first, second in comparisons:
        ours, votes = _preference(found.get((first, second)), found.get((second, first)))
        lines.append(
            Line(f"{first} over {second}", label, [ours, votes, Cell(str(printed.preferences[first, second]))])
        )
    return Grid(
        corner="Which is more realistic?",
        key="comparison",
        keys=["ours", "votes", "paper"],
        heads=["Ours (simulated)" if simulated else "Ours", "Votes", "Paper"],
        lines=lines,
        caption=f"{caption}: percentage of trials in which the first is judged more realistic.",
        notes=[INTERVALS, *notes],
        warning=SIMULATED if simulated else "",
    )


def _preference(line: Mapping[str, Any] | None, mirrored: Mapping[str, Any] | None) -> tuple[Cell, Cell]:
    """POS with its interval, and the number of votes."""
    if line is not None:
        shown, low, high, votes = line["pos"], line["ci_low"], line["ci_high"], line["votes"]
    elif mirrored is not None:
        shown, low, high = (100 - mirrored[key] for key in ("pos", "ci_high", "ci_low"))
        votes = mirrored["votes"]
    else:
        return NO_VALUE, Cell("0")
    return Cell(f"{shown:.0f}", interval=f"[{low:.0f}, {high:.0f}]"), Cell(f"{votes:.0f}")


def table4(summary: Sequence[SummaryLine], caption: str, names: RowNames, notes: Sequence[str] = ()) -> Grid:
    """Table IV from a run's summary: the paper's four rows, then all other scored rows, such as `copy`.

    Args:
        summary: lines of `summary.csv`; a missing row or metric is printed as a dash.
        caption: what the numbers describe.
        names: display names of the rows.
        notes: notes to read with the numbers.
    """
    printed = paper()
    values = {(line.row, line.metric): line for line in summary}
    rows = list(dict.fromkeys([*printed.measured, *(line.row for line in summary if line.metric in printed.metrics)]))
    metrics = {name: METRICS.load(name) for name in printed.metrics}
    heads = [metric.head for metric in metrics.values()]
    columns = []
    for place, (name, metric) in enumerate(metrics.items()):
        own_column = [_measured(values.get((row, name))) for row in rows]
        paper_column = [
            ColumnEntry(printed.measured[row][place] if row in printed.measured else math.nan) for row in rows
        ]
        columns += [_column(own_column, metric.direction), _column(paper_column, metric.direction)]
    return Grid(
        corner="Method",
        keys=[key for name in printed.metrics for key in (name, f"{name}_paper")],
        heads=[head for text in heads for head in (text, "paper")],
        lines=[Line(row, names.title(row), cells) for row, cells in zip(rows, zip(*columns, strict=True), strict=True)],
        caption=caption,
        notes=notes,
    )


def _measured(line: SummaryLine | None) -> ColumnEntry:
    return ColumnEntry(line.value, line.seeds, line.seed_sd) if line else ColumnEntry()


def _column(entries: Sequence[ColumnEntry], direction: Direction) -> list[Cell]:
    known = [entry.value for entry in entries if math.isfinite(entry.value)]
    return format_column(entries, _DIGITS, best_values(known, direction))
