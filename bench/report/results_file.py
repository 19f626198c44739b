"""Shareable results files, which `bench export` writes and `bench leaderboard` reads.

The format is defined in `results.schema.json` next to this file (JSON Schema) and is versioned. `VERSION` is raised
whenever an older reader could misread a file. A file contains everything that a table needs, including the titles and
directions of its metrics. Results can therefore be shown even if their metric or model is not installed.

`measured` results state the protocol behind their numbers. Numbers printed in a paper are `published`. They name their
source, but have no protocol because it is never fully known. They never share a table with measured results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bench.errors import BenchError
from bench.files import plain, read_json, write_json
from bench.metrics.base import Direction

FORMAT, VERSION = "timelapse-bench results", 1
#: Measured by this program under a stated protocol, or published by others.
ResultsKind = Literal["measured", "published"]


@dataclass(frozen=True)
class RowScore:
    """One number of a row.

    Attributes:
        value: the number; NaN if no clip has one.
        ci_low, ci_high: its 95 % interval; NaN if there is none.
        clips, left_out: number of clips that it covers, and of clips without a finite value.
        seeds, seed_sd: number of training runs, and the standard deviation over them; NaN for one.
        draws, draw_sd: number of draws of the clips, and the standard deviation over them; NaN for one.
    """

    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    clips: int = 0
    left_out: int = 0
    seeds: int = 1
    seed_sd: float = math.nan
    draws: int = 1
    draw_sd: float = math.nan


@dataclass(frozen=True)
class MetricFacts:
    """What readers of a metric's numbers need to know.

    Attributes:
        title: display name, with its unit.
        direction: which values are best.
        decimals: digits after the point in a table.
        definition: one line.
        computed: version of the definition, and the weights by name and hash; numbers are comparable only if it is
            equal.
        ranked: whether there are enough clips to decide which row is best.
    """

    title: str
    direction: Direction
    decimals: int = 4
    definition: str = ""
    computed: str = ""
    ranked: bool = True


@dataclass(frozen=True)
class ResultsRow:
    """A row: its key, its display name, its scores by metric, and what made its videos, by seed."""

    row: str
    title: str
    scores: Mapping[str, RowScore]
    made_by: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Results:
    """The content of a results file.

    Attributes:
        kind: "measured" or "published".
        metrics: facts by name.
        rows: the rows.
        dataset: name as printed in tables.
        by: name of the sender; empty if not given.
        protocol: protocol of measured numbers, as returned by `Protocol.to_dict`; empty for published ones.
        notes: notes to read with the numbers.
        left_out: metrics that could not be computed, each with its reason.
        provenance: program, commit, packages and device of the run; empty if there was no run.
        command: command that repeats the run.
        source: source of published numbers: "title" and "where" (the table), and anything else that helps to find it.
    """

    kind: ResultsKind
    metrics: Mapping[str, MetricFacts]
    rows: Sequence[ResultsRow]
    dataset: str = ""
    by: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    left_out: Sequence[Mapping[str, str]] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    source: Mapping[str, str] = field(default_factory=dict)


def write_results(results: Results, path: Path) -> None:
    """Write a results file atomically.

    Missing numbers are written as null, and a single draw of the clips is omitted.
    """
    content = asdict(results)
    for entry in content["rows"]:
        for score in entry["scores"].values():
            if score["draws"] == 1:  # so that version 0.2 can read the file
                del score["draws"], score["draw_sd"]
    write_json(path, plain({"format": FORMAT, "version": VERSION, **content}))


def read_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        BenchError: the file is not a results file, has another version, or does not match the schema. The message
            names the faulty part.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchError(f"{path} is not a results file: expected a file written by `bench export`.")
    if content.get("version") != VERSION:
        raise BenchError(f"{path} has version {content.get('version')!r}, expected {VERSION}: export it again.")
    try:
        results = _results(content)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BenchError(f"{path} does not match the results schema ({error}): see results.schema.json.") from error
    if complaint := _complaint(results):
        raise BenchError(f"{path} does not match the results schema: {complaint}.")
    return results


def _results(content: Mapping[str, Any]) -> Results:
    values = {key: value for key, value in content.items() if key not in ("format", "version", "metrics", "rows")}
    metrics = {name: MetricFacts(**facts) for name, facts in content["metrics"].items()}
    rows = [
        ResultsRow(**{**entry, "scores": {name: _score(score) for name, score in entry["scores"].items()}})
        for entry in content["rows"]
    ]
    return Results(metrics=metrics, rows=rows, **values)


def _score(content: Mapping[str, Any]) -> RowScore:
    numbers: dict[str, Any] = {key: math.nan if value is None else value for key, value in content.items()}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in numbers.values()):
        raise TypeError(f"{dict(content)} is not a score")
    return RowScore(**numbers)


def _complaint(results: Results) -> str:
    """Description of the fault in well-formed results; empty if they can be shown."""
    if results.kind not in get_args(ResultsKind):
        return f"kind is {results.kind!r}, expected one of {', '.join(get_args(ResultsKind))}"
    if results.kind == "measured" and not isinstance(results.protocol.get("id"), str):
        return "measured results need a protocol with an ID"
    if results.kind == "published" and (results.protocol or not {"title", "where"} <= results.source.keys()):
        return "published figures must name their source (title, where) and must not have a protocol"
    if wrong := [name for name, facts in results.metrics.items() if facts.direction not in get_args(Direction)]:
        return f"the direction of {wrong[0]} is not one of {', '.join(get_args(Direction))}"
    if unknown := {name for entry in results.rows for name in entry.scores} - results.metrics.keys():
        return f"a row has {sorted(unknown)[0]}, which 'metrics' does not describe"
    names = [entry.row for entry in results.rows]
    if not names or len(names) != len(set(names)):
        return "there are no rows, or two have the same name"
    return ""
