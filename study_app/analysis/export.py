"""What leaves a study: votes.csv, pos.csv, Tables II and III in every form, and one JSON with all results."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.files import plain, write_json, write_text
from bench.report.grid import Grid, write_grid
from bench.report.paper import paper, pos_table
from bench.runfolder import POS, STUDY_RESULTS, VOTES, RunFolder
from study_app.analysis import humans, quality, ranking, tally
from study_app.design.settings import CODES, Settings
from study_app.registration import registration
from study_app.store.records import VOTE_COLUMNS
from study_app.store.schema import Study
from study_app.store.store import Store


@dataclass(frozen=True)
class Results:
    """All statistics of a study at one moment."""

    pos: pd.DataFrame
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


def results(votes: pd.DataFrame, settings: Settings) -> Results:
    """Compute everything from a table of votes."""
    notes = ["A pilot of a study: these votes do not count for it."] if settings.pilot else []
    strengths, contrasts = ranking.bradley_terry(votes), ranking.contrasts(votes)
    groups = ranking.connectivity(votes)
    if len(groups) > 1:
        told = "; ".join(", ".join(group) for group in groups)
        notes.append(f"Strengths compare only within connected groups of systems, and these are apart: {told}.")
    per_clip = pd.DataFrame(columns=humans.PER_CLIP_COLUMNS)
    per_set = pd.DataFrame(columns=humans.PER_SET_COLUMNS)
    run = Path(settings.run)
    try:
        scores = humans.read_scores(RunFolder(run).per_clip)
        seeds = humans.shown_seeds(run, {name for pair in settings.comparisons for name in pair})
        per_clip = humans.per_clip(votes, scores, humans.directions(scores), seeds)
        summary = humans.read_scores(RunFolder(run).summary)
        per_set = humans.per_set(strengths, summary, humans.directions(summary))
    except BenchError as error:
        notes.append(f"Humans are not held against metrics: {error}")
    return Results(
        tally.pos_table(votes, settings.comparisons),
        strengths,
        contrasts,
        ranking.rank_sets(contrasts),
        groups,
        quality.agreement(votes),
        quality.rater_table(votes),
        quality.side_bias(votes),
        per_clip,
        per_set,
        notes,
    )


def paper_table(name: str, pos: pd.DataFrame) -> Grid:
    """Table II or III ("table2", "table3") in the paper's form, ours beside the paper's figures."""
    return pos_table(name, [{str(key): value for key, value in line.items()} for line in pos.to_dict("records")])


def votes_csv(votes: pd.DataFrame) -> str:
    """The text of `votes.csv`."""
    return csv(votes)


def pos_csv(pos: pd.DataFrame) -> str:
    """The text of `pos.csv`."""
    return csv(pos)


def screens_csv(screens: pd.DataFrame) -> str:
    """The text of `screens.csv`: how the clips of each vote were seen."""
    return csv(screens)


def raters_csv(raters: pd.DataFrame) -> str:
    """The text of `raters.csv`, from which raters are paid."""
    times = {name: raters[name].map(_second) for name in ("started", "ended", "completed")}
    return csv(raters.assign(**times))


def _second(time: Any) -> str:
    return "" if pd.isna(time) else time.isoformat(timespec="seconds")


def csv(table: pd.DataFrame) -> str:
    """A table as the text of a CSV file."""
    out = io.StringIO()
    table.to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()


def read_votes(path: Path) -> pd.DataFrame:
    """Read a `votes.csv` back; it gives the same tallies."""
    try:
        votes = pd.read_csv(
            path,
            dtype=dict.fromkeys(("study", "clip", "video", "first", "second", "left", "right", "chosen", "rater"), str),
            keep_default_na=False,
        )
    except (OSError, pd.errors.ParserError, UnicodeDecodeError, pd.errors.EmptyDataError) as error:
        raise BenchError(f"The votes at {path} cannot be read: give a votes.csv that a study exported.") from error
    if set(VOTE_COLUMNS) - set(votes.columns) == {"video"}:
        raise BenchError(f"{path} does not say which video a clip is from: export the study again with this version.")
    if list(votes.columns) != VOTE_COLUMNS:
        raise BenchError(f"{path} is not a votes.csv of a study: its columns are others.")
    return votes


def as_json(study: Study, settings: Settings, tallies: Results) -> dict[str, Any]:
    """Everything as plain values; what has no value is null."""
    left, n, p = tallies.side_bias
    hidden = {"scenes", "run", *CODES}
    shown = {key: value for key, value in asdict(settings).items() if key not in hidden}
    value = {
        "study": study.name,
        "simulated": study.simulated,
        "seed": study.seed,
        "schedule_sha256": study.schedule_sha256,
        "settings": shown,
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
    content: dict[str, Any] = plain(value)
    return content


def export(where: str | Path | None, name: str | None, out: Path) -> list[Path]:
    """Write all files of a study below `out`; returns their paths."""
    study = Store(where).open(name)
    votes = study.votes()
    tallies = results(votes, study.settings)
    texts = {VOTES: votes_csv(votes), POS: pos_csv(tallies.pos)}
    for file, text in texts.items():
        write_text(out / file, text)
    registered = {"registration": registration(study).as_json()}
    raters = study.raters()
    people = {"people": {"declined": study.declined(), "erased": int((raters["erased"] != "").sum())}}
    write_json(out / STUDY_RESULTS, as_json(study.row, study.settings, tallies) | registered | people)
    tables = [
        path for name in paper().preference_tables for path in write_grid(paper_table(name, tallies.pos), out, name)
    ]
    study.audit("export", "exported", f"{len(votes)} votes")
    write_text(out / "raters.csv", raters_csv(raters))
    write_text(out / "screens.csv", screens_csv(study.screens()))
    return [*(out / file for file in (*texts, STUDY_RESULTS)), *tables, out / "raters.csv", out / "screens.csv"]
