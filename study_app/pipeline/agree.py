"""`bench agree`: which metrics separate clips as people do, and how many votes each predicts compared with raters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bench.data.predictions import Predictions
from bench.errors import BenchError
from bench.registry import METRICS
from bench.report.figures.curves import LOSSES
from bench.report.figures.style import STYLE, save_figure
from bench.report.row_names import registered_names
from bench.report.tables.paper_tables import SIMULATED
from bench.report.tables.printed_table import Cell, Grid, Line, write_grid
from bench.runfolder import VOTES, RunFolder
from bench.statistics import printed_p, smallest_p_value
from study_app.analysis import metric_agreement, ranking
from study_app.pipeline.export import read_votes
from study_app.store.store import Store

#: Label of the results over all comparisons together.
ALL = "all"
CHANCE = 0.5


@dataclass(frozen=True)
class Agreement:
    """Result of `agree`.

    Attributes:
        lines: `metric_agreement.PER_CLIP_COLUMNS` for each comparison and for all of them (column `comparison`).
        sets: `metric_agreement.PER_SET_COLUMNS`.
        simulated: whether the raters are synthetic.
    """

    lines: pd.DataFrame
    sets: pd.DataFrame
    simulated: bool

    @property
    def overall(self) -> pd.DataFrame:
        """The metrics over all comparisons, best first."""
        return self.lines[self.lines["comparison"] == ALL]


def open_votes(study: str, name: str | None, run: Path) -> pd.DataFrame:
    """Read the votes of an exported folder, a `votes.csv`, or a study in a database (a file or a URL).

    Raises:
        BenchError: the study does not exist, or a study in a database was made from other videos than the run contains.
    """
    path = Path(study).expanduser()
    if path.is_dir() or path.suffix == ".csv":
        return read_votes(path / VOTES if path.is_dir() else path)
    if "://" not in study and not path.exists():
        raise BenchError(
            f"{study} is neither a folder of `bench study export` nor a study database. Export the study there, "
            "or give its database."
        )
    opened = Store(study).open(name)
    votes = opened.votes()
    for (row, clip), encoded in opened.clips().items():
        folder = RunFolder(run).predictions(row)
        if encoded.source_sha256 and folder.is_dir():
            predictions = Predictions(folder)
            if clip in predictions.ids and predictions.sha256(clip) != encoded.source_sha256:
                raise BenchError(
                    f"Raters saw a different video of {row}, clip {clip}, than the one in {run}. Give the run "
                    "that the study was made from."
                )
    return votes


def agree(run: Path, study: str, name: str | None = None, out: Path | None = None) -> tuple[Agreement, Grid]:
    """Compare a run's scores with a study's votes; writes a table and a figure to `out` (RUN/agreement by default).

    Raises:
        BenchError: no scores, no votes that count, only votes against real clips, or votes on methods or clips for
            which the run has no scores.
    """
    scores = metric_agreement.read_scores(RunFolder(run).per_clip)
    direction = metric_agreement.directions(scores)
    votes = open_votes(study, name, run)
    if not len(votes):
        raise BenchError(f"The study {study} has no votes yet.")
    _check(votes, scores, run)
    seeds = metric_agreement.shown_seeds(run, set(votes["first"]) | set(votes["second"]))
    counting = metric_agreement.between_models(votes)
    parts = [(ALL, votes), *((str(pair), of_pair) for pair, of_pair in counting.groupby("comparison", sort=False))]
    tables = [
        metric_agreement.per_clip(of_pair, scores, direction, seeds).assign(comparison=pair) for pair, of_pair in parts
    ]
    strengths, summary = ranking.bradley_terry(votes), metric_agreement.read_scores(RunFolder(run).summary)
    agreement = Agreement(
        pd.concat(tables, ignore_index=True).sort_values("auc", ascending=False, kind="stable"),
        metric_agreement.per_set(strengths, summary, metric_agreement.directions(summary)),
        bool(votes["simulated"].any()),
    )
    if not len(agreement.overall):
        raise BenchError(
            f"The scores of {run} contain no metric with a value for both clips of a pair. Score it again."
        )
    grid, folder = make_grid(agreement), out or RunFolder(run).agreement.parent
    write_grid(grid, folder, "agree")
    draw(agreement, folder / "agree")
    return agreement, grid


def _check(votes: pd.DataFrame, scores: pd.DataFrame, run: Path) -> None:
    counting = metric_agreement.between_models(votes)
    if not len(counting):
        raise BenchError(
            "No counted vote compares two models, and against real clips the metric knows the answer. Make a "
            "study that compares models."
        )
    scored = set(zip(scores["row"], scores["clip"], strict=True))
    shown = {
        (row, clip) for side in ("first", "second") for row, clip in zip(counting[side], counting["clip"], strict=True)
    }
    if missing := sorted(shown - scored):
        row, clip = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BenchError(f"{run} has no scores of {row}, clip {clip}{more}: give the run that the study was made from.")


def _fixed(value: float, decimals: int = 1) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def comparison_title(pair: str) -> str:
    """Display name of a comparison: "MD-GAN Stage II over VGAN"."""
    return (
        " over ".join(registered_names().title(row) for row in pair.split(" over "))
        if pair != ALL
        else "All comparisons"
    )


def make_grid(agreement: Agreement) -> Grid:
    """Table of metrics: AUC with interval and p value, votes predicted (in all and by comparison), and bounds."""
    pairs = [pair for pair in dict.fromkeys(agreement.lines["comparison"]) if pair != ALL]
    by = agreement.lines.set_index(["metric", "comparison"])
    correlation: Mapping[str, float] = dict(
        zip(agreement.sets["metric"], agreement.sets["rank_correlation"], strict=True)
    )
    best = agreement.overall["auc"].round(2).max()
    lines = []
    for _, line in agreement.overall.iterrows():
        metric = str(line["metric"])
        apart = [
            Cell(_fixed(by.loc[(metric, pair), "agrees"]) if (metric, pair) in by.index else "–") for pair in pairs
        ]
        defined = math.isfinite(line["auc"])
        interval = f"[{line['ci_low']:.2f}, {line['ci_high']:.2f}]" if defined else ""
        # a metric no better than chance is not marked as best
        leads = bool(defined and round(line["auc"], 2) == best and best > CHANCE)
        bounds, likely = "–", ""
        if math.isfinite(line["lower"]):
            bounds = f"{line['lower']:.0f} to {line['upper']:.0f}"
            likely = f"[{line['possible_low']:.0f}, {line['possible_high']:.0f}]"
        cells = [Cell(_fixed(line["auc"], 2), leads, interval), Cell(printed_p(line["p_holm"]))]
        cells += [Cell(_fixed(line["agrees"])), Cell(bounds, interval=likely)]
        cells += [Cell(f"{line['systems_right']:.0f} of {line['comparisons']:.0f}"), *apart]
        lines.append(Line(metric, metric, [*cells, Cell(_fixed(correlation.get(metric, math.nan), 2))]))
    votes, raters, clips, videos = (int(agreement.overall[key].max()) for key in ("votes", "raters", "clips", "videos"))
    return Grid(
        corner="Metric",
        key="metric",
        keys=["auc", "p_holm", "agrees", "possible", "systems", *pairs, "rank_correlation"],
        heads=["Clips (AUC)", "p", "Votes (%)", "possible", "Methods", *map(comparison_title, pairs), "Rank corr."],
        lines=lines,
        caption=f"How metrics agree with {votes} votes between two models, of {raters} raters on {clips} clips of "
        f"{videos} videos.",
        notes=[*_notes(videos), _rank_note(agreement, correlation), _LEFT_OUT],
        warning=SIMULATED if agreement.simulated else "",
    )


_LEFT_OUT = "Comparisons with real clips are left out because the metric is computed from them."


def _notes(videos: int) -> list[str]:
    return [
        "Clips: within comparisons, how often the metric rates a clip higher where people chose the first than "
        "where they chose the second; 0.5 for a metric that is unrelated to clips. In brackets: 95 % interval over "
        f"raters and videos. p: against 0.5, cluster sign-flip test, Holm-corrected over metrics; with {videos} "
        f"videos, the smallest possible uncorrected p is {smallest_p_value(videos):.2g}.",
        "Votes: percentage that the metric predicts, over methods and clips. Possible: estimated bounds of the "
        "best possible prediction, from pairs with two votes or more. In brackets: "
        "its 95 % interval.",
        "Methods: comparisons in which the metric prefers the method that people prefer; too few for a test.",
    ]


def _rank_note(agreement: Agreement, correlation: Mapping[str, float]) -> str:
    systems = f" over {agreement.sets['systems'].max()} models: descriptive" if len(agreement.sets) else ""
    only_sets = sorted(set(agreement.sets["metric"]) - set(agreement.overall["metric"]))
    correlations = [f"{name}: {correlation[name]:.2f}" for name in only_sets if math.isfinite(correlation[name])]
    apart = sorted({note for note in agreement.sets["note"] if note.startswith("none:")})
    if apart:
        return f"Rank corr.: {apart[0]}, so strengths cannot be compared."
    return f"Rank corr.: Spearman's, of a metric's mean with the Bradley–Terry strength{systems}." + (
        f" Metrics without a value per clip: {', '.join(correlations)}." if correlations else ""
    )


def draw(agreement: Agreement, path: Path) -> None:
    """Draw AUC with intervals (left) and votes predicted with the estimated bounds (right), one line per metric."""
    overall = agreement.overall.iloc[::-1].reset_index(drop=True)
    pairs = [pair for pair in dict.fromkeys(agreement.lines["comparison"]) if pair != ALL]
    y = np.arange(len(overall))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(7.2, 0.9 + 0.34 * len(overall)), sharey=True)
        for axis, chance in zip(axes, (CHANCE, 100 * CHANCE), strict=True):
            axis.axvline(chance, color="0.5", linewidth=0.8, linestyle=":", label="chance")
            axis.grid(axis="y", visible=False)
        bounds = overall[["possible_low", "possible_high", "lower", "upper"]].mean()
        if bounds.notna().all():
            axes[1].axvspan(bounds["possible_low"], bounds["possible_high"], color="0.94", label="its 95 % interval")
            axes[1].axvspan(bounds["lower"], bounds["upper"], color="0.85", label="estimate of what is possible")
        for number, pair in enumerate(pairs):
            lines = (
                agreement.lines[agreement.lines["comparison"] == pair].set_index("metric").reindex(overall["metric"])
            )
            mark: dict[str, Any] = {"marker": "sDv^<>PX"[number % 8], "color": LOSSES[(number + 1) % len(LOSSES)]}
            mark |= {"markersize": 4, "alpha": 0.75}
            for axis, key in zip(axes, ("auc", "agrees"), strict=True):
                axis.plot(lines[key], y, linestyle="none", label=comparison_title(pair), **mark)
        low, high = overall["auc"] - overall["ci_low"], overall["ci_high"] - overall["auc"]
        ends = np.maximum([low, high], 0)  # rounding: the interval of 1 can end at 0.9999999999999999
        axes[0].errorbar(overall["auc"], y, xerr=ends, fmt="o", color=LOSSES[0], capsize=3)
        axes[1].plot(overall["agrees"], y, "o", color=LOSSES[0], label="all comparisons")
        titles = [METRICS.load(name).title if name in METRICS else name for name in overall["metric"]]
        axes[0].set(yticks=y, yticklabels=titles, xlim=(-0.02, 1.02), xlabel="clips told apart (AUC)")
        axes[1].set(xlim=(-2, 102), xlabel="votes predicted (%)")
        axes[0].set_ylim(-0.6, len(overall) - 0.4)
        if agreement.simulated:
            figure.suptitle("Simulated raters, not people", color="#b00020", fontweight="bold", y=1.0)
        axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), fontsize=7)
        save_figure(figure, path)
