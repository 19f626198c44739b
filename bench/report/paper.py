"""The tables of the MD-GAN paper (Xiong et al., CVPR 2018) in its own form, ours beside the paper's numbers.

Table II and III: preference opinion scores, the percentage of trials in which the first of two is judged more
realistic. Table IV: pixel metrics on 1,000 random test pairs of the Beach dataset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.metrics.base import best_first
from bench.registry import METRICS
from bench.report.grid import Cell, Grid, Line
from bench.report.tables import ARROWS, title
from bench.scoring.tidy import SummaryLine

#: Table II and III: caption, then the lines (name in print, first, second).
POS_TABLES: Mapping[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "table2": (
        "Preference opinion scores against other models and real clips",
        (
            ("MD-GAN over VGAN", "mdgan-2", "vgan"),
            ("MD-GAN over RNN-GAN", "mdgan-2", "rnngan"),
            ("VGAN over Real", "vgan", "real"),
            ("RNN-GAN over Real", "rnngan", "real"),
            ("MD-GAN over Real", "mdgan-2", "real"),
        ),
    ),
    "table3": (
        "Preference opinion scores of the two stages of MD-GAN",
        (
            ("Stage II over Stage I", "mdgan-2", "mdgan-1"),
            ("Stage II over Real", "mdgan-2", "real"),
            ("Stage I over Real", "mdgan-1", "real"),
        ),
    ),
}
#: The paper's POS of (first over second), in percent.
POS: Mapping[tuple[str, str], int] = {
    ("mdgan-2", "vgan"): 92,
    ("mdgan-2", "rnngan"): 97,
    ("vgan", "real"): 5,
    ("rnngan", "real"): 1,
    ("mdgan-2", "real"): 16,
    ("mdgan-2", "mdgan-1"): 70,
    ("mdgan-1", "real"): 8,
}
#: Table IV's metrics and the paper's numbers by row.
TABLE_4_METRICS = ("mse", "psnr", "ssim")
TABLE_4: Mapping[str, tuple[float, float, float]] = {
    "vgan": (0.0958, 11.5586, 0.6035),
    "rnngan": (0.1849, 7.7988, 0.5143),
    "mdgan-1": (0.0530, 14.8982, 0.7624),
    "mdgan-2": (0.0422, 16.1951, 0.8019),
}
SIMULATED = "Simulated raters, not people."
#: Digits of the paper's Table IV.
_DIGITS = 4
_NONE = Cell("–")


def pos_table(name: str, pos: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> Grid:
    """Table II or III.

    Args:
        name: "table2" or "table3".
        pos: lines of a study's `pos.csv` (keys first, second, votes, pos, ci_low, ci_high, simulated), percentages.
        notes: what has to be read with them.

    A comparison that the study made the other way round is turned; one without votes is a dash.
    """
    caption, wanted = POS_TABLES[name]
    simulated = any(bool(line["simulated"]) for line in pos)
    found = {(line["first"], line["second"]): line for line in pos if line["votes"]}
    lines = []
    for label, first, second in wanted:
        ours, votes = _preference(found.get((first, second)), found.get((second, first)))
        lines.append(Line(f"{first} over {second}", label, [ours, votes, Cell(str(POS[first, second]))]))
    return Grid(
        corner="Which is more realistic?",
        key="comparison",
        keys=["ours", "votes", "paper"],
        heads=["Ours (simulated)" if simulated else "Ours", "Votes", "Paper"],
        lines=lines,
        caption=f"{caption}: percentage of trials in which the first is judged more realistic.",
        notes=["In brackets: exact 95 % interval. The paper had 100 trials a line and gives no interval.", *notes],
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
        return _NONE, Cell("0")
    return Cell(f"{shown:.0f}", interval=f"[{low:.0f}, {high:.0f}]"), Cell(f"{votes:.0f}")


def table4(summary: Sequence[SummaryLine], caption: str, notes: Sequence[str] = ()) -> Grid:
    """Table IV from a run's summary: the paper's four rows, then whatever else was scored, as `copy`.

    Args:
        summary: lines of `summary.csv`; a row or metric that it lacks is a dash.
        caption: what the numbers are of.
        notes: what has to be read with them.
    """
    values = {(line.row, line.metric): line for line in summary}
    rows = list(dict.fromkeys([*TABLE_4, *(line.row for line in summary if line.metric in TABLE_4_METRICS)]))
    metrics = {name: METRICS.load(name) for name in TABLE_4_METRICS}
    heads = [f"{metric.title or name.upper()} {ARROWS[metric.direction]}" for name, metric in metrics.items()]
    columns = []
    for place, (name, metric) in enumerate(metrics.items()):
        ours = [_measured(values.get((row, name))) for row in rows]
        theirs = [_printed(TABLE_4[row][place]) if row in TABLE_4 else _NONE for row in rows]
        columns += [_marked(ours, metric.direction), _marked(theirs, metric.direction)]
    return Grid(
        corner="Model",
        keys=[key for name in TABLE_4_METRICS for key in (name, f"{name}_paper")],
        heads=[head for text in heads for head in (text, "paper")],
        lines=[Line(row, title(row), cells) for row, cells in zip(rows, zip(*columns, strict=True), strict=True)],
        caption=caption,
        notes=notes,
    )


def _printed(value: float) -> Cell:
    return Cell(f"{value:.{_DIGITS}f}")


def _measured(line: SummaryLine | None) -> Cell:
    if line is None or not math.isfinite(line.value):
        return _NONE
    spread = f" ± {line.seed_sd:.{_DIGITS}f}" if line.seeds > 1 else ""
    return Cell(f"{line.value:.{_DIGITS}f}{spread}")


def _marked(cells: Sequence[Cell], direction: Any) -> list[Cell]:
    """The same cells with the best one marked, by the printed digits: what prints the same is marked the same."""
    numbers = [None if cell is _NONE else float(cell.text.split()[0]) for cell in cells]
    known = [number for number in numbers if number is not None]
    best = min(known, key=lambda value: best_first(direction, value)) if known else None
    return [Cell(cell.text, number is not None and number == best) for cell, number in zip(cells, numbers, strict=True)]
