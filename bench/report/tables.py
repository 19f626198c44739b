"""The table that a paper prints, from a summary: rows of models, columns of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.metrics.base import Metric, SetMetric, Unavailable, best_first
from bench.registry import METRICS
from bench.report.grid import TIED, Cell, Grid, Line, write_grid
from bench.report.names import RowNames
from bench.scoring.protocol import Protocol
from bench.scoring.sets import DRAWS, FLOOR, LARGEST
from bench.scoring.tidy import SummaryLine

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Table:
    """A table ready for print.

    Attributes:
        rows: names of the rows.
        heads: metric names.
        cells: a line a row, a cell a metric.
        metrics: the metrics' own account of themselves.
        caption: what the numbers are of.
        notes: what has to be read with them: protocol, clips left out, metrics left out.
        names: of the rows, in print.
    """

    rows: Sequence[str]
    heads: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    metrics: Mapping[str, type[Metric]]
    caption: str
    notes: Sequence[str]
    names: RowNames

    @property
    def grid(self) -> Grid:
        """The table without what the metrics say of themselves."""
        heads = [self.metrics[name].head for name in self.heads]
        lines = [Line(row, self.names.title(row), cells) for row, cells in zip(self.rows, self.cells, strict=True)]
        return Grid("Model", self.heads, heads, lines, self.caption, self.notes)


def make_table(
    summary: Sequence[SummaryLine],
    protocol: Protocol,
    names: RowNames,
    left_out: Sequence[Unavailable] = (),
    notes: Sequence[str] = (),
    ci: bool = False,
) -> Table:
    """Lay a summary out as a table: rows of models, columns of metrics, the best value of each column marked.

    Args:
        summary: lines of `summary.csv`.
        protocol: of the scoring.
        names: of the rows, in print.
        left_out: metrics that could not be computed.
        notes: what else has to be read with the numbers.
        ci: print 95 % intervals, and mark what does not differ significantly from the best.
    """
    rows = list(dict.fromkeys(line.row for line in summary))
    heads = list(dict.fromkeys(line.metric for line in summary))
    lines = {(line.row, line.metric): line for line in summary}
    metrics: dict[str, type[Metric]] = {name: METRICS.load(name) for name in heads}
    columns = [_column([lines.get((row, name)) for row in rows], metrics[name], ci) for name in heads]
    return Table(
        rows=rows,
        heads=heads,
        cells=[list(line) for line in zip(*columns, strict=True)],
        metrics=metrics,
        caption=caption(protocol),
        notes=[*_notes(summary, metrics, protocol, names, ci), *notes, *map(str, left_out), f"Protocol {protocol.id}."],
        names=names,
    )


def _column(lines: Sequence[SummaryLine | None], metric: type[Metric], ci: bool) -> list[Cell]:
    def printed(value: float) -> str:
        return f"{value:.{metric.decimals}f}"

    # The floor is what distances are read against, not a competitor.
    values = [line.value for line in lines if line and line.row != FLOOR and math.isfinite(line.value)]
    best = printed(min(values, key=lambda v: best_first(metric.direction, v))) if values else None
    cells = []
    for line in lines:
        if line is None:
            cells.append(Cell("–"))
        elif not math.isfinite(line.value):
            cells.append(Cell(metric.no_value_cell if line.left_out else "–"))
        else:
            text = printed(line.value)
            spread = f" ± {printed(line.seed_sd)}" if line.seeds > 1 else ""
            known = ci and math.isfinite(line.ci_low)
            interval = f"[{printed(line.ci_low)}, {printed(line.ci_high)}]" if known else ""
            tied = ci and line.p_best >= SIGNIFICANCE
            # What prints the same is marked the same.
            cells.append(Cell(text + spread, text == best and line.row != FLOOR, interval, tied))
    return cells


def caption(protocol: Protocol) -> str:
    """What a table's numbers are of, in a sentence."""
    partial = ", only the clips that every row has" if protocol.partial else ""
    clips = f"{protocol.clips} test clip{'s' if protocol.clips > 1 else ''}"
    name = f"{protocol.dataset[:1].upper()}{protocol.dataset[1:]}"
    return f"{name}, {clips}{partial}, {protocol.size}, {protocol.frames_in_words}."


def _notes(
    summary: Sequence[SummaryLine],
    metrics: Mapping[str, type[Metric]],
    protocol: Protocol,
    names: RowNames,
    ci: bool,
) -> list[str]:
    notes = []
    if ci:
        notes.append(
            f"In brackets: 95 % bootstrap interval over videos. {TIED} does not differ significantly from the best."
        )
    for name, metric in metrics.items():
        if note := metric.note(protocol.clips, protocol.scored_frames):
            notes.append(f"{name}: {note}.")
        if ci and issubclass(metric, SetMetric):
            notes.append(f"{name}: interval from {DRAWS} bootstrap samples, none above {LARGEST} samples.")
        if weights := protocol.metrics.get(name, "").partition(" ")[2]:
            notes.append(f"{name}: weights {weights}.")
    for line in summary:
        if line.left_out:
            total, why = line.clips + line.left_out, metrics[line.metric].no_value
            notes.append(f"{names.title(line.row)}, {line.metric}: {line.left_out} of {total} clips left out ({why}).")
    seeds = {line.seeds for line in summary}
    if seeds and max(seeds) > 1:
        notes.append(f"Mean ± standard deviation over {max(seeds)} training seeds.")
    return notes


def write_tables(table: Table, out: Path) -> None:
    """Write `table.csv`, `.json`, `.tex` and `.md`."""
    write_grid(table.grid, out)
