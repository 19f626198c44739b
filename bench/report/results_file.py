"""Results in one file that can be sent: what `bench export` writes and `bench leaderboard` reads.

The form is stated in `results.schema.json` beside this file (JSON Schema) and versioned: `VERSION` is raised whenever a
reader of an older one could misread a file. A file holds all that a table needs, titles and directions of its metrics
included, so that results of a metric or a model which is not installed here can be shown too.

`measured` results carry the protocol that their numbers mean. Figures that a paper printed are `published`: they name
their source, carry no protocol, since nobody knows it whole, and never stand in a table with measured ones.
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
#: Measured by this program under a stated protocol, or printed by somebody.
ResultsKind = Literal["measured", "published"]


@dataclass(frozen=True)
class RowScore:
    """One number of a row.

    Attributes:
        value: the number; NaN where no clip has one.
        ci_low, ci_high: its 95 % interval; NaN where there is none.
        clips, left_out: clips that it is of, and clips without a finite value.
        seeds, seed_sd: training runs, and the standard deviation over them; NaN for one.
        draws, draw_sd: draws of the clips, and the standard deviation over them; NaN for one.
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
    """What a reader of a metric's numbers has to know.

    Attributes:
        title: display name, with its unit.
        direction: what is best.
        decimals: digits after the point in a table.
        definition: one line.
        computed: version of the definition, and the weights by name and hash: equal numbers need equal ones.
        ranked: whether there are enough clips to say which row is best.
    """

    title: str
    direction: Direction
    decimals: int = 4
    definition: str = ""
    computed: str = ""
    ranked: bool = True


@dataclass(frozen=True)
class ResultsRow:
    """A row: its name for machines and in print, its numbers by metric, and what made its videos, by seed."""

    row: str
    title: str
    scores: Mapping[str, RowScore]
    made_by: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Results:
    """The content of a file.

    Attributes:
        kind: "measured" or "published".
        metrics: facts by name.
        rows: the rows.
        dataset: as it stands on tables.
        by: who sends the results; empty where nobody says.
        protocol: of measured numbers, as `Protocol.to_dict` has it; empty for published ones.
        notes: what has to be read with the numbers.
        left_out: metrics that could not be computed, each with its reason.
        provenance: program, commit, packages and device of the run; empty where there was none.
        command: that makes the run again.
        source: of published numbers: "title" and "where" (the table), and whatever else helps to find it.
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
    """Write a file, atomically; a number that does not exist is null, and one draw of the clips is not mentioned."""
    content = asdict(results)
    for entry in content["rows"]:
        for score in entry["scores"].values():
            if score["draws"] == 1:  # so that version 0.2 reads the file
                del score["draws"], score["draw_sd"]
    write_json(path, plain({"format": FORMAT, "version": VERSION, **content}))


def read_results(path: Path) -> Results:
    """Read a file.

    Raises:
        BenchError: it is none of ours, of a newer version, or breaks the form; the place in it is named.
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
    """What is wrong with well-formed results; nothing where they can be shown."""
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
