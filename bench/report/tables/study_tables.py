"""Results of a study with raters, as a report shows them, from the `study.json` that `bench study export` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files import read_json
from bench.report.row_names import RowNames
from bench.report.tables.paper_tables import SIMULATED, paper, pos_table
from bench.report.tables.printed_table import Cell, Grid, Line
from bench.runfolder import REAL, STUDY_RESULTS, RunFolder
from bench.statistics import printed_p

#: Kind of a study whose clips were graded one by one.
GRADED = "scale"
#: How a study's reasons for excluding a rater begin. Any other reason is a manual decision.
BY_RULE, UNFINISHED, WITHDRAWN = ("catch", "flagged"), "unfinished", "withdrawn"


@dataclass(frozen=True)
class StudyResults:
    """A study's results.

    Attributes:
        pos: lines as in `pos.csv`, with NaN for missing values.
        grids: the tables for the page: preferences, Tables II and III next to the paper's, strengths; then the answers
            to each further question of a trial.
        warning: a note that must not be overlooked, for example that raters are simulated.
        notes: notes to read with the tables.
    """

    pos: Sequence[Mapping[str, Any]]
    grids: Sequence[Grid]
    warning: str
    notes: Sequence[str]


def find_study(run: RunFolder, requested: Path | None) -> Path | None:
    """Path of the `study.json` in the requested folder, or else in RUN/study if there is one.

    Raises:
        BenchError: the requested folder does not contain one.
    """
    if requested is None:
        own = run.study / STUDY_RESULTS
        return own if own.is_file() else None
    path = requested if requested.suffix == ".json" else requested / STUDY_RESULTS
    if not path.is_file():
        raise BenchError(f"The file {path} does not exist. Give the folder written by `bench study export --out`.")
    return path


def read_study(path: Path, rows: Sequence[str], names: RowNames) -> StudyResults:
    """Read a `study.json`.

    Args:
        path: path of the file.
        rows: rows of the run, apart from the real clips.
        names: display names of the rows.

    Raises:
        BenchError: the file was not written by `bench study export`, or the study compares rows that the run lacks.
    """
    try:
        content = read_json(path)
        if content["kind"] == GRADED:
            return _graded(content, names)
        pos = _numbers(content["pos"])
        (question, _), *others = _questions(content)
        simulated = bool(content["simulated"])
        as_printed = bool(content["fills_the_papers_tables"])
        grids = [
            _preferences(pos, names, question, simulated),
            *(pos_table(name, pos) for name in paper().preference_tables if as_printed and _concerns(name, pos)),
            *_strengths(content["bradley_terry"]["strengths"], names, simulated),
            *(_preferences(_numbers(own["pos"]), names, text, simulated) for text, own in others),
        ]
        notes = [*_study_notes(content), *_ties(content.get("ties", [])), *map(str, content["notes"])]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(
            f"{path} is not a study.json of this version. Write it again with `bench study export`."
        ) from error
    foreign = sorted({str(line[side]) for line in pos for side in ("first", "second")} - {*rows, REAL})
    if foreign:
        raise BenchError(f"The study {path} compares {', '.join(foreign)}, which this run does not contain.")
    return StudyResults(pos, grids, SIMULATED if simulated else "", notes)


def _numbers(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: math.nan if value is None else value for key, value in line.items()} for line in lines]


def _questions(content: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each question of a trial as raters read it, with its own results."""
    return list(zip(content["asked"], [content, *content.get("further", {}).values()], strict=True))


def _graded(content: Mapping[str, Any], names: RowNames) -> StudyResults:
    """Results of a study whose clips were graded one by one: mean grades, but no preference shares."""
    warning = SIMULATED if content["simulated"] else ""
    grids = [_means(own["mos"], names, text, warning) for text, own in _questions(content)]
    return StudyResults([], grids, warning, [f"Study “{content['study']}”.", *map(str, content["notes"])])


def _means(grades: Sequence[Mapping[str, Any]], names: RowNames, question_text: str, warning: str) -> Grid:
    lines = []
    for one in grades:
        cells = [Cell("–"), Cell("0"), Cell("0")]
        if one["ratings"]:
            interval = f"[{one['ci_low']:.2f}, {one['ci_high']:.2f}]"
            cells = [Cell(f"{one['mos']:.2f}", interval=interval), Cell(f"{one['ratings']}"), Cell(f"{one['raters']}")]
        lines.append(Line(one["system"], names.title(one["system"]), cells))
    return Grid(
        corner="Method",
        key="system",
        keys=["mos", "ratings", "raters"],
        heads=["Mean grade", "Grades", "Raters"],
        lines=lines,
        caption=f"Mean opinion scores of clips shown one by one, on “{question_text}”, from 1 (bad) to 5 (excellent).",
        notes=["In brackets: 95 % interval over raters and source videos, within which grades are correlated."],
        warning=warning,
    )


def _ties(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    votes = sum(line["votes"] for line in lines)
    return [f"Raters could not tell in {sum(line['ties'] for line in lines)} of {votes} trials."] if votes else []


def _concerns(name: str, pos: Sequence[Mapping[str, Any]]) -> bool:
    compared = {frozenset((line["first"], line["second"])) for line in pos if line["votes"]}
    return any(frozenset((first, second)) in compared for _, first, second in paper().preference_tables[name][1])


def _preferences(pos: Sequence[Mapping[str, Any]], names: RowNames, question: str, simulated: bool) -> Grid:
    lines = []
    for line in pos:
        cells = [Cell("–")] * 5
        if line["votes"]:
            cells = [
                Cell(f"{line['pos']:.1f}", interval=f"[{line['ci_low']:.1f}, {line['ci_high']:.1f}]"),
                Cell(printed_p(line["p"])),
                Cell(printed_p(line["p_holm"])),
                Cell(f"[{line['exact_low']:.1f}, {line['exact_high']:.1f}]"),
                Cell(printed_p(line["exact_p"])),
            ]
        counts = [f"{line['chosen']:.0f} of {line['votes']:.0f}", f"{line['raters']:.0f}", f"{line['videos']:.0f}"]
        name = f"{names.title(line['first'])} over {names.title(line['second'])}"
        lines.append(Line(line["comparison"], name, [Cell(counts[0]), *cells, Cell(counts[1]), Cell(counts[2])]))
    return Grid(
        corner="Comparison",
        key="comparison",
        keys=["chosen", "pos", "p", "p_holm", "exact", "exact_p", "raters", "videos"],
        heads=["Chosen", "POS (%)", "p", "p (Holm)", "exact", "exact p", "Raters", "Videos"],
        lines=lines,
        caption="Preference opinion scores: percentage of trials in which the first of two clips was chosen on "
        f"“{question}”.",
        notes=[
            "In brackets: 95 % interval over raters and source videos, within which votes are correlated; p: "
            "two-sided against 50 %, over the same clusters. Exact: as if all votes were independent.",
        ],
        warning=SIMULATED if simulated else "",
    )


def _strengths(strengths: Sequence[Mapping[str, Any]], names: RowNames, simulated: bool) -> list[Grid]:
    if not strengths:
        return []
    lines = []
    for one in strengths:
        interval = _ends(one["ci_low"], one["ci_high"])
        cells = [Cell(f"{one['strength']:.2f}", interval=interval), Cell(f"{one['wins']} of {one['votes']}")]
        lines.append(Line(one["system"], names.title(one["system"]), cells))
    caption = "Bradley–Terry strengths, in log odds with mean 0. The stronger of two is chosen with probability "
    return [
        Grid(
            corner="Method",
            key="system",
            keys=["strength", "wins"],
            heads=["Strength", "Chosen"],
            lines=lines,
            caption=f"{caption}1 / (1 + exp(−difference)). In brackets: 95 % interval over raters and clips.",
            warning=SIMULATED if simulated else "",
        )
    ]


def _ends(low: float | None, high: float | None) -> str:
    """An interval; an end that the votes do not bound is left open, and without either end the text is empty."""
    if low is None or high is None:
        one = [f"≥ {low:.2f}"] if low is not None else [f"≤ {high:.2f}"] if high is not None else []
        return "".join(one) and f"({one[0]})"
    return f"[{low:.2f}, {high:.2f}]"


def _excluded(raters: Sequence[Mapping[str, Any]]) -> str:
    """Number of excluded raters by reason: a rule fixed beforehand, a manual decision, their own withdrawal."""
    reasons = [str(rater["excluded"]) for rater in raters if rater["excluded"]]
    by_rule, unfinished, withdrew = (
        sum(reason.startswith(begin) for reason in reasons) for begin in (BY_RULE, UNFINISHED, WITHDRAWN)
    )
    by_hand = len(reasons) - by_rule - unfinished - withdrew
    left = f"{unfinished} left before their attention could be judged, " if unfinished else ""
    return f"{by_rule} excluded by the registered rule, {left}{by_hand} by hand, {withdrew} withdrew"


def _study_notes(content: Mapping[str, Any]) -> list[str]:
    """Sentences on how well raters agree, how many there were, and how many were excluded."""
    raters = content["raters"]
    notes = [f"Study “{content['study']}”: {len(raters)} raters; {_excluded(raters)}."]
    for line in content["agreement"]:
        if line["comparison"] == "all" and line["alpha"] is not None:
            notes.append(f"Agreement between raters: Krippendorff's α {line['alpha']:.2f} over {line['pairs']} pairs.")
    bias = content["side_bias"]
    if bias["votes"]:
        share = 100 * bias["left"] / bias["votes"]
        p = printed_p(math.nan if bias["p"] is None else bias["p"])
        notes.append(f"Left side chosen in {share:.1f} % of {bias['votes']} votes (p {p} against 50 %, over raters).")
    return [*notes, f"Schedule {content['schedule_sha256'][:12]}, seed {content['seed']}."]
