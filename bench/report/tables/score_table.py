"""The score table for a paper, built from a summary: one row per method, one column per metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.files import read_json
from bench.metrics.base import ARROWS, Metric, SetMetric, Unavailable
from bench.registry import METRICS
from bench.report.row_names import RowNames, names_of
from bench.report.tables.printed_table import (
    NO_VALUE,
    Cell,
    ColumnEntry,
    Grid,
    Line,
    best_values,
    format_column,
    write_grid,
)
from bench.report.tables.table_notes import caption, inference_notes, mark_of, over_metrics, split_notes
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Primary, SummaryLine, read_notes, read_primary, read_summary
from bench.scoring.set_metrics import REAL_HALVES


@dataclass(frozen=True)
class ScoreTable:
    """A table ready for print.

    Attributes:
        rows: names of the rows.
        heads: metric names; "NAME@N" for a metric of whole sets computed on N clips, as many as real vs. real uses.
        cells: one line per row, with one cell per column.
        metrics: metric classes by name.
        caption: what the numbers describe.
        notes: notes to read with the numbers: protocol, clips left out, metrics left out.
        names: display names of the rows.
        titles: display names of the columns.
        split_clips: number of clips on each side of real vs. real; 0 without that row.
    """

    rows: Sequence[str]
    heads: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    metrics: Mapping[str, type[Metric]]
    caption: str
    notes: Sequence[str]
    names: RowNames
    titles: Sequence[str]
    split_clips: int = 0

    def title(self, row: str) -> str:
        """A row's display name; that of real vs. real includes its number of clips."""
        title = self.names.title(row)
        return f"{title.removesuffix(')')}, N = {self.split_clips})" if row == REAL_HALVES else title

    @property
    def grid(self) -> Grid:
        """The table without the metric classes."""
        lines = [Line(row, self.title(row), cells) for row, cells in zip(self.rows, self.cells, strict=True)]
        return Grid("Method", self.heads, self.titles, lines, self.caption, self.notes)


def make_table(
    summary: Sequence[SummaryLine],
    protocol: Protocol,
    names: RowNames,
    left_out: Sequence[Unavailable] = (),
    notes: Sequence[str] = (),
    ci: bool = False,
    *,
    primary: Primary | None = None,
    holm: bool = False,
) -> ScoreTable:
    """Lay out a summary with one row per method and one column per metric, and mark each column's best value.

    Args:
        summary: lines of `summary.csv`.
        protocol: protocol of the scores.
        names: display names of the rows.
        left_out: metrics that could not be computed.
        notes: further notes to read with the numbers.
        ci: print 95 % intervals, and mark values that are worse than the best and values that were not tested.
        primary: the metric that was named as primary.
        holm: correct the marks for the number of metrics; a primary metric is kept separate from the others.
    """
    primary = primary or Primary()
    summary = over_metrics(summary, primary.metric) if holm else summary
    rows = list(dict.fromkeys(line.row for line in summary))
    lines = {(line.row, line.metric): line for line in summary}
    metrics: dict[str, type[Metric]] = {name: METRICS.load(name) for name in dict.fromkeys(s.metric for s in summary)}
    heads, titles, columns = [], [], []
    for name, metric in metrics.items():
        of_metric = [lines.get((row, name)) for row in rows]
        real = lines.get((REAL_HALVES, name))
        apart = real is not None and any(line and math.isfinite(line.at_split) for line in of_metric)
        heads.append(name)
        titles.append(metric.head)
        columns.append(_column([None if apart and line is real else line for line in of_metric], metric, ci))
        if real and apart:  # compare like with like: methods on as many clips as a side of real vs. real
            heads.append(f"{name}@{real.clips}")
            titles.append(f"{metric.title}, {real.clips} clips {ARROWS[metric.direction]}")
            columns.append(_split_column(of_metric, metric, ci))
    said = [*inference_notes(summary, primary, holm)] if ci else []
    return ScoreTable(
        rows=rows,
        heads=heads,
        cells=[list(line) for line in zip(*columns, strict=True)],
        metrics=metrics,
        caption=caption(protocol),
        notes=[
            *said,
            *_notes(summary, metrics, protocol, names),
            *split_notes(summary, metrics, names),
            *notes,
            *map(str, left_out),
            f"Protocol {protocol.id}.",
        ],
        names=names,
        titles=titles,
        split_clips=next((line.clips for line in summary if line.row == REAL_HALVES), 0),
    )


def _column(lines: Sequence[SummaryLine | None], metric: type[Metric], ci: bool) -> list[Cell]:
    entries = [_entry(line, metric) if line else ColumnEntry() for line in lines]
    return format_column(entries, metric.decimals, _leading(lines, metric), ci)


def _split_column(lines: Sequence[SummaryLine | None], metric: type[Metric], ci: bool) -> list[Cell]:
    entries = [ColumnEntry(line.at_split if line else math.nan) for line in lines]
    for place, line in enumerate(lines):
        if line and line.row == REAL_HALVES:
            entries[place] = _entry(line, metric)
    return format_column(entries, metric.decimals, (), ci)


def _entry(line: SummaryLine, metric: type[Metric]) -> ColumnEntry:
    return ColumnEntry(
        value=line.value,
        seeds=max(line.seeds, line.draws),
        seed_sd=line.draw_sd if line.draws > 1 else line.seed_sd,
        ci_low=line.ci_low,
        ci_high=line.ci_high,
        mark=mark_of(line),
        competes=line.row != REAL_HALVES,
        no_value=Cell(metric.no_value_cell) if line.left_out else NO_VALUE,
    )


def _leading(lines: Sequence[SummaryLine | None], metric: type[Metric]) -> list[float]:
    """The best value of a column; empty if there are too few clips to decide, or no other row to compare with.

    Rows of joined runs, and of folders from older versions, have no ranks. The values alone then decide.
    """
    known = [line for line in lines if line and line.row != REAL_HALVES and math.isfinite(line.value)]
    if issubclass(metric, SetMetric):
        known = [line for line in known if metric.ranks(line.clips)]
    if len(known) < 2:
        return []
    if any(line.rank for line in known):
        return [line.value for line in known if line.rank == 1]
    return best_values((line.value for line in known), metric.direction)


def _notes(
    summary: Sequence[SummaryLine],
    metrics: Mapping[str, type[Metric]],
    protocol: Protocol,
    names: RowNames,
) -> list[str]:
    notes = []
    for name, metric in metrics.items():
        if note := metric.note(protocol.smaller_side, protocol.scored_frames):
            notes.append(f"{name}: {note}.")
        if issubclass(metric, SetMetric) and not metric.ranks(protocol.smaller_side):
            notes.append(f"{name}: {metric.not_ranked(protocol.smaller_side)}.")
        if weights := protocol.metrics.get(name, "").partition(" ")[2]:
            notes.append(f"{name}: {metric.basis} {weights}.")
    for line in summary:
        if line.left_out:
            total, why = line.clips + line.left_out, metrics[line.metric].no_value
            notes.append(f"{names.title(line.row)}, {line.metric}: {line.left_out} of {total} clips left out ({why}).")
    if draws := {line.draws for line in summary if line.draws > 1}:
        notes.append(f"Mean ± standard deviation over {max(draws)} draws of the clips.")
    elif seeds := {line.row: line.seeds for line in summary if line.seeds > 1}:
        counts = sorted(set(seeds.values()))
        rows = (
            ""
            if len(counts) == 1 and len(seeds) == len({line.row for line in summary})
            else ", different for each method"
        )
        notes.append(f"Mean ± standard deviation over {' or '.join(map(str, counts))} training seeds{rows}.")
    return notes


def write_tables(table: ScoreTable, out: Path) -> None:
    """Write `table.csv`, `.json`, `.tex` and `.md`."""
    write_grid(table.grid, out)


def stored_table(out: Path, ci: bool = False, holm: bool = False) -> ScoreTable:
    """The table of a folder's stored scores, with the options of `make_table`; nothing is written."""
    if not RunFolder(out).summary.exists():
        raise BenchError(f"{out} contains no scores to report. Give a results folder of `bench run` or `bench score`.")
    left_out, notes = read_notes(out)
    said = [*notes, *departures(out)]
    facts = (read_summary(out), read_protocol(out), names_of(out))
    return make_table(*facts, left_out, said, ci, primary=read_primary(out), holm=holm)


def departures(out: Path) -> list[str]:
    """How a run's training differs from the papers, as recorded by the run; empty for other folders."""
    account = RunFolder(out).account
    return read_json(account).get("departures", []) if account.exists() else []


def read_protocol(out: Path) -> Protocol:
    """The protocol of a folder's stored scores."""
    return Protocol.load(RunFolder(out).protocol)
