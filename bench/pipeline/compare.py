"""`bench compare`: several runs in one table, if their numbers are comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.report.row_names import RowNames, names_of
from bench.report.tables.score_table import ScoreTable, departures, make_table, read_protocol, write_tables
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import read_notes, read_summary
from bench.scoring.set_metrics import REAL_HALVES


def compare(folders: Sequence[Path], out: Path | None = None, ci: bool = False) -> ScoreTable:
    """Join the summaries of runs or scorings into one table.

    If two folders share a row name, the folder's name is appended to it.

    Args:
        folders: two or more folders that `bench run` or `bench score` has filled.
        out: where to write the tables, if anywhere.
        ci: print intervals; places and p values of single runs do not apply to the joined table and are omitted.

    Raises:
        BenchError: a folder has no scores, or protocols differ; the differing items are named.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise BenchError("Give two or more different folders to compare.")
    summaries = [read_summary(folder) for folder in folders]
    protocol = common_protocol(folders)
    joined = joined_rows(folders, [[line.row for line in summary] for summary in summaries])
    lines = [
        replace(line, row=names[line.row], rank=0, p_best=float("nan"), smallest_p=float("nan"))
        for names, summary in zip(joined, summaries, strict=True)
        for line in summary
    ]
    left_out = [reason for folder in folders for reason in read_notes(folder)[0]]
    notes = [note for folder in folders for note in [*read_notes(folder)[1], *departures(folder)]]
    names = joined_names(folders)
    table = make_table(lines, protocol, names, list(dict.fromkeys(left_out)), list(dict.fromkeys(notes)), ci)
    if out:
        write_tables(table, out)
    return table


def common_protocol(folders: Sequence[Path]) -> Protocol:
    """The protocol of the first folder; if another folder's differs, raises an error that names the items."""
    first, *others = [read_protocol(folder) for folder in folders]
    for folder, protocol in zip(folders[1:], others, strict=True):
        if differing := first.differences(protocol):
            raise BenchError(f"{folder} cannot be compared with {folders[0]}: {'; '.join(differing)}.")
    return first


def joined_rows(folders: Sequence[Path], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """For each folder: row → its name among the rows of all folders."""
    joined = []
    for number, (name, own_rows) in enumerate(zip(short_names(folders), rows, strict=True)):
        others = set().union(*(names for place, names in enumerate(rows) if place != number))
        # Real vs. real depends only on the real clips: it is the same in every folder of one protocol.
        joined.append({row: f"{row} ({name})" if row in others and row != REAL_HALVES else row for row in own_rows})
    return joined


def joined_names(folders: Sequence[Path]) -> RowNames:
    """Display names of the rows of all folders; if two differ, the first folder's."""
    named = [names_of(folder) for folder in reversed(folders)]
    titles = {row: title for names in named for row, title in names.titles.items()}
    return RowNames(titles, {row: colour for names in named for row, colour in names.colours.items()})


def short_names(folders: Sequence[Path]) -> list[str]:
    """The shortest path endings that distinguish the folders."""
    parts = [folder.resolve().parts for folder in folders]
    depth = 1
    while len({path[-depth:] for path in parts}) < len(parts):
        depth += 1
    return ["/".join(path[-depth:]) for path in parts]
