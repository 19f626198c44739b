"""Export of a study: votes.csv, pos.csv, Tables II and III in every format, and one JSON file with all results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.files import plain, write_text
from bench.report.tables.paper_tables import paper, pos_table
from bench.report.tables.printed_table import Grid, write_grid
from bench.runfolder import POS, STUDY_RESULTS, VOTES, RunFolder
from bench.statistics.two_way_clusters import FEW
from study_app.analysis import (
    davidson,
    equivalence,
    intraclass,
    long_table,
    mean_opinion_scores,
    metric_agreement,
    preference_scores,
    questionnaire,
    ranking,
    rater_quality,
)
from study_app.design.questions import PARTS, SCALE
from study_app.design.settings import CODES, StudySettings
from study_app.pipeline import flag_counts
from study_app.pipeline.csv_files import csv, unescaped
from study_app.pipeline.planned_looks import planned_looks
from study_app.pipeline.registration import registration
from study_app.store.schema.study_tables import Study
from study_app.store.study import OpenStudy
from study_app.store.tidy_tables import VOTE_COLUMNS


@dataclass(frozen=True)
class Results:
    """All statistics of a study of pairs at one moment, for one question.

    Attributes:
        ties: None if the study does not allow ties.
    """

    pos: pd.DataFrame
    ties: pd.DataFrame | None
    ranking: pd.DataFrame
    contrasts: pd.DataFrame
    rank_sets: pd.DataFrame
    groups: list[list[str]]
    agreement: pd.DataFrame
    raters: pd.DataFrame
    side_bias: tuple[int, int, float]
    metrics: pd.DataFrame
    set_metrics: pd.DataFrame
    notes: list[str]
    equivalence: pd.DataFrame | None = None
    with_ties: pd.DataFrame | None = None


def results(votes: pd.DataFrame, settings: StudySettings) -> Results:
    """Compute all statistics from a table of votes."""
    notes = ["Pilot: these votes do not count for the study."] if settings.pilot else []
    if flagged := flag_counts.of_answers(votes).sentence():
        notes.append(flagged)
    if settings.questions.cannot_tell:
        notes.append("Ties are left out of every share, interval and test, and reported separately.")
    if not settings.questions.is_the_papers:
        notes.append("Raters had other answers than in the paper, so its Tables II and III are not filled.")
    if 0 < (raters := preference_scores.counted(votes)["rater"].nunique()) < FEW:
        notes.append(
            f"The votes of {raters} rater{'s' if raters > 1 else ''} count. With fewer than {FEW}, no comparison "
            "can be significant at 5 %, and intervals assume that raters hardly differ. Ask more people."
        )
    strengths, contrasts = ranking.bradley_terry(votes), ranking.contrasts(votes)
    groups = ranking.connectivity(votes)
    if len(groups) > 1:
        apart = "; ".join(", ".join(group) for group in groups)
        notes.append(f"Strengths are comparable only within connected groups of methods. Not connected: {apart}.")
    per_clip = pd.DataFrame(columns=metric_agreement.PER_CLIP_COLUMNS)
    per_set = pd.DataFrame(columns=metric_agreement.PER_SET_COLUMNS)
    run = Path(settings.run)
    try:
        if not settings.run:
            raise BenchError("the study has no run folder. Score its folders with `bench score`, then `bench agree`.")
        scores = metric_agreement.read_scores(RunFolder(run).per_clip)
        seeds = metric_agreement.shown_seeds(run, {name for pair in settings.comparisons for name in pair})
        per_clip = metric_agreement.per_clip(votes, scores, metric_agreement.directions(scores), seeds)
        summary = metric_agreement.read_scores(RunFolder(run).summary)
        per_set = metric_agreement.per_set(strengths, summary, metric_agreement.directions(summary))
    except BenchError as error:
        notes.append(f"People are not compared with metrics: {error}")
    return Results(
        preference_scores.pos_table(votes, settings.comparisons),
        preference_scores.ties_table(votes, settings.comparisons) if settings.questions.cannot_tell else None,
        strengths,
        contrasts,
        ranking.rank_sets(contrasts),
        groups,
        rater_quality.agreement(votes),
        rater_quality.rater_table(votes),
        rater_quality.side_bias(votes),
        per_clip,
        per_set,
        notes,
        None if settings.margin is None else equivalence.of_votes(votes, settings.comparisons, settings.margin),
        davidson.strengths_with_ties(votes) if settings.questions.cannot_tell else None,
    )


def paper_table(name: str, pos: pd.DataFrame, notes: Sequence[str] = ()) -> Grid:
    """Table II or III ("table2", "table3") in the paper's format, with our values next to the paper's."""
    return pos_table(name, [{str(key): value for key, value in line.items()} for line in pos.to_dict("records")], notes)


def screens_csv(screens: pd.DataFrame) -> str:
    """The text of `screens.csv`: display conditions of each vote."""
    return csv(screens)


def raters_csv(raters: pd.DataFrame) -> str:
    """The text of `raters.csv`, the basis for paying raters."""
    times = {name: raters[name].map(_second) for name in ("started", "ended", "completed")}
    return csv(raters.assign(**times))


def _second(time: Any) -> str:
    return "" if pd.isna(time) else time.isoformat(timespec="seconds")


def read_votes(path: Path) -> pd.DataFrame:
    """Read an exported `votes.csv`; it yields the same tallies as the study."""
    try:
        votes = pd.read_csv(
            path,
            dtype=dict.fromkeys(("study", "clip", "video", "first", "second", "left", "right", "chosen", "rater"), str),
            keep_default_na=False,
        )
    except (OSError, pd.errors.ParserError, UnicodeDecodeError, pd.errors.EmptyDataError) as error:
        raise BenchError(f"The votes at {path} cannot be read: give a votes.csv that a study exported.") from error
    if set(VOTE_COLUMNS) - set(votes.columns) == {"video"}:
        raise BenchError(f"{path} does not contain source videos. Export the study again with this version.")
    if list(votes.columns) != VOTE_COLUMNS:
        raise BenchError(f"{path} is not a votes.csv of a study: it has other columns.")
    for column in ("catch", "practice", "simulated"):
        # In a text column, every non-empty word would count as true.
        if odd := sorted(set(votes[column].astype(str)) - {"True", "False"}):
            raise BenchError(
                f"{path} has {odd[0]!r} in the column {column}: expected True or False. A spreadsheet in another "
                "language may have changed it. Give the file as `bench study export` wrote it."
            )
    return unescaped(votes)


def _head(study: Study, settings: StudySettings) -> dict[str, Any]:
    """Description of a study, for all kinds of trials; only the paper's trials fill the paper's tables."""
    hidden = {"scenes", "run", *CODES}
    return {
        "study": study.name,
        "simulated": study.simulated,
        "seed": study.seed,
        "schedule_sha256": study.schedule_sha256,
        "settings": {key: value for key, value in asdict(settings).items() if key not in hidden},
        "kind": settings.questions.kind,
        "asked": settings.questions.asked(settings.question, settings.language),
        "fills_the_papers_tables": settings.questions.is_the_papers,
    }


def as_json(study: Study, settings: StudySettings, tallies: Results) -> dict[str, Any]:
    """All results as plain values; missing values are null."""
    left, n, p = tallies.side_bias
    value = {
        **_head(study, settings),
        "pos": tallies.pos.to_dict("records"),
        "bradley_terry": {
            "strengths": tallies.ranking.to_dict("records"),
            "contrasts": tallies.contrasts.to_dict("records"),
            "rank_sets": tallies.rank_sets.to_dict("records"),
            "connected": tallies.groups,
        },
        "agreement": tallies.agreement.to_dict("records"),
        "side_bias": {"left": left, "votes": n, "p": p},
        "raters": tallies.raters.to_dict("records"),
        "humans_against_metrics": tallies.metrics.to_dict("records"),
        "rank_correlation_with_metrics": tallies.set_metrics.to_dict("records"),
        "notes": tallies.notes,
    }
    for key, table in (
        ("ties", tallies.ties),
        ("strengths_with_ties", tallies.with_ties),
        ("equivalence", tallies.equivalence),
    ):
        if table is not None:
            value[key] = table.to_dict("records")
    content: dict[str, Any] = plain(value)
    return content


@dataclass(frozen=True)
class Outcomes:
    """Choices or grades for every question of a study.

    Attributes:
        votes: number of votes, or grades, for the first question.
        pos: POS for the first question; None if clips are graded alone.
        files: file name → text of each file with outcomes, except the paper's tables; `study.json` is last. With
            several questions, the first has the usual names, and each further one has its ID in the names.
    """

    votes: int
    pos: pd.DataFrame | None
    files: dict[str, str]


def outcomes(study: OpenStudy, votes: pd.DataFrame | None = None, tallies: Results | None = None) -> Outcomes:
    """All outcomes; if votes or tallies of the first question are not given, they are read or computed."""
    if study.settings.questions.kind == SCALE:
        return _graded(study)
    votes = study.votes() if votes is None else votes
    return _compared(study, votes, tallies or results(votes, study.settings))


def _compared(study: OpenStudy, votes: pd.DataFrame, tallies: Results) -> Outcomes:
    """Outcomes of a study of pairs."""
    files = _vote_files(None, votes, tallies) | _for_other_programs(votes)
    content = as_json(study.row, study.settings, tallies)
    if study.settings.looks > 1:
        table = planned_looks(study, votes)
        files["looks.csv"] = csv(table)
        content["looks"] = plain(table.to_dict("records"))
    for question in study.settings.questions.further:
        further_votes = study.votes(question)
        further = results(further_votes, study.settings)
        files |= _vote_files(question, further_votes, further)
        value = as_json(study.row, study.settings, further)
        shared = (
            "pos",
            "ties",
            "strengths_with_ties",
            "equivalence",
            "bradley_terry",
            "agreement",
            "side_bias",
            "humans_against_metrics",
        )
        content.setdefault("further", {})[question] = {key: value[key] for key in shared if key in value}
    return Outcomes(len(votes), tallies.pos, files | {STUDY_RESULTS: _json(content, study)})


def _vote_files(question: str | None, votes: pd.DataFrame, tallies: Results) -> dict[str, str]:
    files = {named(VOTES, question): csv(votes), named(POS, question): csv(tallies.pos)}
    further = {
        "ties.csv": tallies.ties,
        "strengths_ties.csv": tallies.with_ties,
        "equivalence.csv": tallies.equivalence,
    }
    return files | {named(name, question): csv(table) for name, table in further.items() if table is not None}


def _for_other_programs(votes: pd.DataFrame) -> dict[str, str]:
    return {
        "votes_long.csv": csv(long_table.long_table(votes)),
        "votes_long_dictionary.csv": csv(long_table.dictionary()),
        "crossed_logistic.R": long_table.R_SCRIPT,
    }


def _graded(study: OpenStudy) -> Outcomes:
    """Outcomes of a study of single clips, which has no shares of choices."""
    settings = study.settings
    files: dict[str, str] = {}
    grades = 0
    systems = [name for name, _ in settings.comparisons]
    content = plain(_head(study.row, settings))
    content["notes"] = ["Pilot: these grades do not count for the study."] if settings.pilot else []
    for question in (None, *settings.questions.further):
        ratings = study.ratings(question)
        means, gaps = mean_opinion_scores.mos_table(ratings, systems), mean_opinion_scores.differences(ratings, systems)
        files |= {named("ratings.csv", question): csv(ratings), named("mos.csv", question): csv(means)}
        files[named("mos_differences.csv", question)] = csv(gaps)
        clips, reliable = mean_opinion_scores.clip_table(ratings), intraclass.reliability(ratings)
        files |= {named("mos_clips.csv", question): csv(clips), named("reliability.csv", question): csv(reliable)}
        value = {"mos": means, "differences": gaps, "reliability": reliable}
        if mean_opinion_scores.follows_one_rater(clips):
            content["notes"].append(
                f"The quality in {named('mos_clips.csv', question)} by ITU-T P.910, Annex E, depends on a single "
                "rater, who is far more consistent than the others or has few grades. Use the plain means."
            )
        if settings.margin is not None:
            value["equivalence"] = equivalence.of_grades(ratings, systems, settings.margin)
            files[named("equivalence.csv", question)] = csv(value["equivalence"])
        value = plain({key: table.to_dict("records") for key, table in value.items()})
        if question is None:
            flagged = flag_counts.of_answers(ratings).sentence()
            content["notes"] += [flagged] if flagged else []
            content |= value
            grades = len(ratings)
        else:
            content.setdefault("further", {})[question] = value
    return Outcomes(grades, None, files | {STUDY_RESULTS: _json(content, study)})


def named(file: str, question: str | None) -> str:
    """File name for a question; for a further question such as motion, pos.csv becomes pos_motion.csv."""
    stem, _, ending = file.partition(".")
    return file if question is None else f"{stem}_{question}.{ending}"


def _json(content: dict[str, Any], study: OpenStudy) -> str:
    erased = int((study.raters()["erased"] != "").sum())
    people = {"declined": study.declined(), "erased": erased}
    whole = content | {"registration": registration(study).as_json(), "people": people}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def beside(study: OpenStudy) -> dict[str, str]:
    """File name → text of each file without outcomes: raters, screens, and answers to the questionnaire."""
    files = {"raters.csv": raters_csv(study.raters()), "screens.csv": screens_csv(study.screens())}
    if study.settings.comprehension or any(study.settings.questions.part(part) for part in PARTS):
        files["answers.csv"] = csv(questionnaire.answers_table(study.answers()))
        files["answers_dictionary.csv"] = csv(questionnaire.dictionary(study.settings))
    return files


def export(study: OpenStudy, out: Path) -> list[Path]:
    """Write all files of a study below `out`; returns their paths.

    Tables II and III require the paper's trials, and each table at least one of its comparisons in the study.
    """
    found = outcomes(study)
    for file, text in found.files.items():
        write_text(out / file, text)
    made, tables = {frozenset(pair) for pair in study.settings.comparisons}, list[Path]()
    if study.settings.questions.is_the_papers and found.pos is not None:
        for table, (_, lines) in paper().preference_tables.items():
            if made & {frozenset(line[1:]) for line in lines}:
                tables += write_grid(paper_table(table, found.pos), out, table)
    study.audit("export", "exported", f"{found.votes} votes")
    others = beside(study)
    for file, text in others.items():
        write_text(out / file, text)
    return [*(out / file for file in found.files), *tables, *(out / file for file in others)]
