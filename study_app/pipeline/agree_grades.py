"""`bench agree` for a study of grades: metrics compared with mean grades of clips."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.report.tables.paper_tables import SIMULATED
from bench.report.tables.printed_table import Cell, Grid, Line, write_grid
from bench.runfolder import REAL, VOTES, RunFolder
from study_app.analysis import grade_agreement, metric_agreement
from study_app.design.questions import SCALE
from study_app.store.store import Store
from study_app.store.tidy_tables import RATING_COLUMNS

RATINGS = "ratings.csv"


def ratings_of(study: str, name: str | None) -> pd.DataFrame | None:
    """Read the grades of an exported folder, a `ratings.csv`, or a study of single clips in a database; None for votes.

    Raises:
        BenchError: the file is not a table of grades.
    """
    path = Path(study).expanduser()
    if path.is_dir() or path.suffix == ".csv":
        file = path / RATINGS if path.is_dir() else path
        if file.name != RATINGS or not file.exists() or (path.is_dir() and (path / VOTES).exists()):
            return None
        texts = ("study", "system", "clip", "video", "rater", "excluded", "flags", "time_utc")
        table = pd.read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False)
        if list(table.columns) != RATING_COLUMNS:
            raise BenchError(f"{file} is not a ratings.csv of a study: it has other columns.")
        return table
    if "://" not in study and not path.exists():
        return None
    opened = Store(study).open(name)
    return opened.ratings() if opened.settings.questions.kind == SCALE else None


def agree_grades(run: Path, ratings: pd.DataFrame, out: Path | None = None) -> Grid:
    """Compare a run's scores with grades; writes `agree.csv` and its other formats to `out` (RUN/agreement by default).

    Raises:
        BenchError: no scores, no grades that count, or grades of clips for which the run has no scores.
    """
    scores = metric_agreement.read_scores(RunFolder(run).per_clip)
    graded = set(ratings["system"]) - {REAL}
    seeds = metric_agreement.shown_seeds(run, graded)
    table = grade_agreement.per_metric(ratings, scores, metric_agreement.directions(scores), seeds)
    if not len(table):
        raise BenchError(f"{run} has no scores of the graded clips. Give the run that the study was made from.")
    grid = make_grid(table, bool(ratings["simulated"].any()))
    write_grid(grid, out or RunFolder(run).agreement.parent, "agree")
    return grid


def make_grid(table: pd.DataFrame, simulated: bool) -> Grid:
    """Table of metrics: PLCC, SROCC and RMSE with their intervals."""
    best = {"plcc": table["plcc"].max(), "srocc": table["srocc"].max(), "rmse": table["rmse"].min()}
    lines = []
    for _, line in table.iterrows():
        cells = []
        for key, leading in best.items():
            value, low, high = (float(line[name]) for name in (key, f"{key}_low", f"{key}_high"))
            if not math.isfinite(value):
                cells.append(Cell("–"))
                continue
            interval = f"[{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
            cells.append(Cell(f"{value:.2f}", value == leading and (key == "rmse" or value > 0), interval))
        lines.append(Line(str(line["metric"]), str(line["metric"]), [*cells, Cell(f"{line['clips']:.0f}")]))
    missing = int(table["left_out"].max())
    notes = [
        "PLCC and RMSE: of values mapped to grades by a monotonic third-order polynomial; SROCC: of ranks (ITU-T "
        "P.1401). In brackets: 95 % interval over source videos. Clips of all methods are pooled.",
        "Real clips are left out because the metric is computed from them.",
    ]
    notes += [f"Infinite and missing values are left out (at most {missing} per metric)."] if missing else []
    return Grid(
        corner="Metric",
        key="metric",
        keys=["plcc", "srocc", "rmse", "clips"],
        heads=["PLCC", "SROCC", "RMSE", "Clips"],
        lines=lines,
        caption=f"How metrics agree with mean grades: {table['clips'].max()} clips, {table['videos'].max()} videos.",
        notes=notes,
        warning=SIMULATED if simulated else "",
    )
