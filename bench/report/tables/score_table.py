"""The table that a paper prints, from a summary: rows of models, columns of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.files import read_json
from bench.metrics.base import ENOUGH, Metric, SetMetric, Unavailable
from bench.registry import METRICS
from bench.report.row_names import RowNames, names_of
from bench.report.tables.printed_table import (
    NO_VALUE,
    UNTESTED,
    WORSE,
    Cell,
    ColumnEntry,
    Grid,
    Line,
    best_values,
    format_column,
    write_grid,
)
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine, read_notes, read_summary
from bench.scoring.set_metrics import REAL_HALVES

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class ScoreTable:
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
) -> ScoreTable:
    """Lay a summary out as a table: rows of models, columns of metrics, the best value of each column marked.

    Args:
        summary: lines of `summary.csv`.
        protocol: of the scoring.
        names: of the rows, in print.
        left_out: metrics that could not be computed.
        notes: what else has to be read with the numbers.
        ci: print 95 % intervals, and mark what is worse than the best and what was not tested.
    """
    rows = list(dict.fromkeys(line.row for line in summary))
    heads = list(dict.fromkeys(line.metric for line in summary))
    lines = {(line.row, line.metric): line for line in summary}
    metrics: dict[str, type[Metric]] = {name: METRICS.load(name) for name in heads}
    columns = [_column([lines.get((row, name)) for row in rows], metrics[name], ci) for name in heads]
    return ScoreTable(
        rows=rows,
        heads=heads,
        cells=[list(line) for line in zip(*columns, strict=True)],
        metrics=metrics,
        caption=caption(protocol),
        notes=[*_notes(summary, metrics, protocol, names, ci), *notes, *map(str, left_out), f"Protocol {protocol.id}."],
        names=names,
    )


def _column(lines: Sequence[SummaryLine | None], metric: type[Metric], ci: bool) -> list[Cell]:
    entries = [_entry(line, metric) if line else ColumnEntry() for line in lines]
    return format_column(entries, metric.decimals, _leading(lines, metric), ci)


def _entry(line: SummaryLine, metric: type[Metric]) -> ColumnEntry:
    return ColumnEntry(
        value=line.value,
        seeds=max(line.seeds, line.draws),
        seed_sd=line.draw_sd if line.draws > 1 else line.seed_sd,
        ci_low=line.ci_low,
        ci_high=line.ci_high,
        mark=_mark(line),
        competes=line.row != REAL_HALVES,
        no_value=Cell(metric.no_value_cell) if line.left_out else NO_VALUE,
    )


def _leading(lines: Sequence[SummaryLine | None], metric: type[Metric]) -> list[float]:
    """The best value of a column; none where there are too few clips to say, or no other row to be better than.

    Rows of joined runs, and of folders of older versions, have no places: then values speak for themselves.
    """
    known = [line for line in lines if line and line.row != REAL_HALVES and math.isfinite(line.value)]
    if issubclass(metric, SetMetric):
        known = [line for line in known if metric.ranks(line.clips)]
    if len(known) < 2:
        return []
    if any(line.rank for line in known):
        return [line.value for line in known if line.rank == 1]
    return best_values((line.value for line in known), metric.direction)


def _mark(line: SummaryLine) -> str:
    """How a value compares with the best of its column; real vs. real is a reference and does not compete."""
    if line.row == REAL_HALVES or line.rank == 1:
        return ""
    if line.rank == 0 or math.isnan(line.p_best):
        return UNTESTED
    return WORSE if line.p_best < SIGNIFICANCE else ""


def caption(protocol: Protocol) -> str:
    """What a table's numbers are of, in a sentence."""
    partial = ", only the clips that every row has" if protocol.partial else ""
    kind = "real" if protocol.choices.unpaired else "test"
    clips = f"{protocol.clips} {kind} clip{'s' if protocol.clips > 1 else ''}"
    name = f"{protocol.dataset[:1].upper()}{protocol.dataset[1:]}"
    return (
        ", ".join([name, f"{clips}{partial}", protocol.size, protocol.frames_in_words, *protocol.choices.words()]) + "."
    )


def _notes(
    summary: Sequence[SummaryLine],
    metrics: Mapping[str, type[Metric]],
    protocol: Protocol,
    names: RowNames,
    ci: bool,
) -> list[str]:
    notes = _inference_notes(summary) if ci else []
    for name, metric in metrics.items():
        if note := metric.note(protocol.smaller_side, protocol.scored_frames):
            notes.append(f"{name}: {note}.")
        if issubclass(metric, SetMetric) and not metric.ranks(protocol.smaller_side):
            enough = ENOUGH * metric.dimension
            notes.append(f"{name}: too few clips to rank rows by it ({protocol.smaller_side} of {enough}).")
        if weights := protocol.metrics.get(name, "").partition(" ")[2]:
            notes.append(f"{name}: weights {weights}.")
    for line in summary:
        if line.left_out:
            total, why = line.clips + line.left_out, metrics[line.metric].no_value
            notes.append(f"{names.title(line.row)}, {line.metric}: {line.left_out} of {total} clips left out ({why}).")
    if draws := {line.draws for line in summary if line.draws > 1}:
        notes.append(f"Mean ± standard deviation over {max(draws)} draws of the clips.")
    elif seeds := {line.row: line.seeds for line in summary if line.seeds > 1}:
        counts = sorted(set(seeds.values()))
        rows = "" if len(counts) == 1 and len(seeds) == len({line.row for line in summary}) else ", each row's own"
        notes.append(f"Mean ± standard deviation over {' or '.join(map(str, counts))} training seeds{rows}.")
    return notes


def _inference_notes(summary: Sequence[SummaryLine]) -> list[str]:
    """What intervals and marks say, and what they cannot."""
    scopes = sorted({line.scope for line in summary if line.scope})
    notes = [f"In brackets: 95 % interval over source videos{', ' + ' and '.join(scopes) if scopes else ''}."]
    competing = [line for line in summary if math.isfinite(line.value) and line.row != REAL_HALVES and line.rank != 1]
    shown = {_mark(line) for line in competing}
    paired = any(line.rank for line in summary)
    marks = [
        "bold: best of the paired clips" if paired else "bold: best value",
        *([f"{WORSE} worse than it (p < {SIGNIFICANCE:g}, corrected for all rows)"] if WORSE in shown else []),
        *(["unmarked: one cannot tell"] if "" in shown else []),
        *([f"{UNTESTED} not tested"] if UNTESTED in shown else []),
    ]
    notes.append(f"{'; '.join(marks)[0].upper()}{'; '.join(marks)[1:]}.")
    smallest = {line.smallest_p for line in summary if math.isfinite(line.smallest_p)}
    if smallest and max(smallest) > 0.001:
        reach = f"With so few source videos no p is below {max(smallest):.2g}"
        notes.append(f"{reach}{': nothing can be marked as worse' if max(smallest) >= SIGNIFICANCE else ''}.")
    return notes


def write_tables(table: ScoreTable, out: Path) -> None:
    """Write `table.csv`, `.json`, `.tex` and `.md`."""
    write_grid(table.grid, out)


def stored_table(out: Path, ci: bool = False) -> ScoreTable:
    """The table of a folder's stored scores, with intervals if asked for; nothing is written."""
    if not RunFolder(out).summary.exists():
        raise BenchError(f"{out} has no scores to report: give a folder that `bench run` or `bench score` has filled.")
    left_out, notes = read_notes(out)
    return make_table(read_summary(out), read_protocol(out), names_of(out), left_out, [*notes, *departures(out)], ci=ci)


def departures(out: Path) -> list[str]:
    """What a run's training did otherwise than the papers, as the run wrote it down; of other folders nothing."""
    account = RunFolder(out).account
    return read_json(account).get("departures", []) if account.exists() else []


def read_protocol(out: Path) -> Protocol:
    """The protocol of a folder's stored scores."""
    return Protocol.load(RunFolder(out).protocol)
