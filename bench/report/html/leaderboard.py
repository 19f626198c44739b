"""`bench leaderboard`: combine results files into one static page and one CSV, with a table per protocol ID.

Numbers of different protocols never share a table, nor do measured and published ones. A row with the same name and
numbers in two files, such as the copy of the first frame, is shown once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files import write_text
from bench.metrics.base import ARROWS
from bench.report.html.report_page import script_of, templates
from bench.report.results_file import MetricFacts, Results, ResultsRow, RowScore, read_results
from bench.report.tables.printed_table import Cell, ColumnEntry, Grid, Line, best_values, format_column
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import write_csv
from bench.scoring.set_metrics import REAL_HALVES

PAGE, TABLE = "index.html", "leaderboard.csv"
COLUMNS = (
    "kind", "protocol", "dataset", "row", "title", "by", "metric", "value", "ci_low", "ci_high", "clips", "seeds",
    "seed_sd", "computed", "source",
)  # fmt: skip


@dataclass(frozen=True)
class LeaderboardTable:
    """One table of the page.

    Attributes:
        grid: the table ready for print.
        anchor: its fragment in the page's URL.
        files: results that it contains.
        apart: differences between this protocol and those of earlier tables of the same dataset.
    """

    grid: Grid
    anchor: str
    files: Sequence[Results]
    apart: Sequence[str] = ()

    @property
    def facts(self) -> dict[str, MetricFacts]:
        """Facts about the metrics of all files; if a name occurs twice, the first applies."""
        return _facts(self.files)


def leaderboard(paths: Sequence[Path], out: Path) -> list[LeaderboardTable]:
    """Write `index.html` and `leaderboard.csv` to a folder.

    Args:
        paths: files written by `bench export`, or published numbers in the same format.
        out: the folder.

    Raises:
        BenchError: a file is not a results file, or two files of one protocol contain numbers computed differently.
    """
    files = [(path, read_results(path)) for path in paths]
    by_protocol: dict[str, list[tuple[Path, Results]]] = {}
    for path, results in files:
        if results.kind == "measured":
            by_protocol.setdefault(results.protocol["id"], []).append((path, results))
    for same in by_protocol.values():
        check_alike(same)
    measured: list[LeaderboardTable] = []
    for same in by_protocol.values():
        board = [results for _, results in same]
        measured.append(replace(_measured(len(measured), board), apart=_apart(board[0], measured)))
    published = [_published(number, one) for number, (_, one) in enumerate(files) if one.kind == "published"]
    script, digest = script_of("sort.js")
    page = (
        templates()
        .get_template("leaderboard.html.j2")
        .render(measured=measured, published=published, table=TABLE, script=script, digest=digest)
    )
    write_csv(out / TABLE, COLUMNS, _lines([results for _, results in files]))
    write_text(out / PAGE, page)
    return [*measured, *published]


def check_alike(same: Sequence[tuple[Path, Results]]) -> None:
    """Raise a `BenchError` if files of one protocol ID use different clips or compute metrics differently."""
    first_path, first = same[0]
    for path, results in same[1:]:
        differences = _differences(first, results)
        for name in first.metrics.keys() & results.metrics.keys():
            first_facts, other_facts = first.metrics[name], results.metrics[name]
            if (first_facts.computed, first_facts.direction) != (other_facts.computed, other_facts.direction):
                differences.append(f"{name} is {first_facts.computed or '?'} and {other_facts.computed or '?'}")
        if differences:
            raise BenchError(f"{path} cannot be compared with {first_path}: {'; '.join(sorted(differences))}.")


def _differences(first: Results, other: Results) -> list[str]:
    """Differences between two files' protocols, except in how metrics are computed, as one text per choice."""
    try:
        mine, theirs = (replace(Protocol.from_dict(one.protocol), metrics={}) for one in (first, other))
    except BenchError:  # written by a version with choices that this one does not know
        keys = sorted((first.protocol.keys() | other.protocol.keys()) - {"metrics"})
        pairs = [(key, first.protocol.get(key), other.protocol.get(key)) for key in keys]
        return [f"{key} is {one!r} and {another!r}" for key, one, another in pairs if one != another]
    return mine.differences(theirs)


def _apart(results: Results, earlier: Sequence[LeaderboardTable]) -> list[str]:
    """Why a table cannot be merged with the earlier tables of its dataset, one sentence for each."""
    others = [board for board in earlier if board.files[0].dataset == results.dataset]
    return [
        f"Not comparable with {board.files[0].protocol['id']}: {'; '.join(_differences(board.files[0], results))}."
        for board in others
    ]


def _measured(number: int, files: Sequence[Results]) -> LeaderboardTable:
    rows: dict[str, tuple[ResultsRow, Results]] = {}
    for results in files:
        for entry in results.rows:
            if not any(_equal(entry, known) for known, _ in rows.values()):
                rows[f"{entry.row}#{len(rows)}"] = entry, results
    titles = [entry.title for entry, _ in rows.values()]
    lines = []
    for key, (entry, results) in rows.items():
        by = results.by if entry.row != REAL_HALVES else ""
        title = f"{entry.title} ({by})" if by and (titles.count(entry.title) > 1 or len(files) > 1) else entry.title
        lines.append((key, title, entry))
    grid = _grid(lines, files, _caption(files[0]))
    return LeaderboardTable(grid, f"protocol-{number + 1}", files)


def _equal(one: ResultsRow, other: ResultsRow) -> bool:
    """Whether two rows are the same: equal names, and equal numbers for the metrics that both have."""
    shared = one.scores.keys() & other.scores.keys()
    return (
        one.row == other.row and bool(shared) and all(_same(one.scores[n].value, other.scores[n].value) for n in shared)
    )


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))


def _caption(results: Results) -> str:
    from bench.report.tables.table_notes import caption

    try:
        return caption(Protocol.from_dict(results.protocol))
    except BenchError:  # written by a version with choices that this one does not know
        return f"{results.dataset}, protocol {results.protocol['id']}."


def _published(number: int, results: Results) -> LeaderboardTable:
    lines = [(entry.row, entry.title, entry) for entry in results.rows]
    where = f"{results.source['title']}, {results.source['where']}"
    return LeaderboardTable(
        _grid(lines, [results], f"{results.dataset}: {where}."), f"published-{number + 1}", [results]
    )


def _facts(files: Sequence[Results]) -> dict[str, MetricFacts]:
    found: dict[str, MetricFacts] = {}
    for results in files:
        for name, facts in results.metrics.items():
            found.setdefault(name, facts)
    return found


def _grid(lines: Sequence[tuple[str, str, ResultsRow]], files: Sequence[Results], caption: str) -> Grid:
    metrics = _facts(files)
    columns = [
        _column([(entry.row, entry.scores.get(name)) for _, _, entry in lines], facts)
        for name, facts in metrics.items()
    ]
    shown = zip(lines, zip(*columns, strict=True), strict=True)
    return Grid(
        corner="Method",
        keys=list(metrics),
        heads=[f"{facts.title} {ARROWS[facts.direction]}" for facts in metrics.values()],
        lines=[Line(key, title, cells) for (key, title, _), cells in shown],
        caption=caption,
    )


def _column(scores: Sequence[tuple[str, RowScore | None]], facts: MetricFacts) -> list[Cell]:
    entries = [_column_entry(row, score) if score else ColumnEntry() for row, score in scores]
    known = [entry.value for entry in entries if entry.competes and math.isfinite(entry.value)]
    return format_column(entries, facts.decimals, best_values(known, facts.direction) if facts.ranked else [])


def _column_entry(row: str, score: RowScore) -> ColumnEntry:
    return ColumnEntry(
        value=score.value,
        seeds=max(score.seeds, score.draws),
        seed_sd=score.draw_sd if score.draws > 1 else score.seed_sd,
        ci_low=score.ci_low,
        ci_high=score.ci_high,
        competes=row != REAL_HALVES,
    )


def _lines(files: Iterable[Results]) -> Iterable[Sequence[Any]]:
    """Yield the lines of the CSV, one per number."""
    for results in files:
        source = ", ".join(results.source.values())
        for entry in results.rows:
            of = (results.kind, results.protocol.get("id", ""), results.dataset, entry.row, entry.title, results.by)
            for name, score in entry.scores.items():
                values = (score.value, score.ci_low, score.ci_high, score.clips, score.seeds, score.seed_sd)
                yield *of, name, *values, results.metrics[name].computed, source
