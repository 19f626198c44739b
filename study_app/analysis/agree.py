"""`bench agree`: which metric predicts what people chose, how often, and how that compares with other people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from bench.data.predictions import Predictions
from bench.errors import BenchError
from bench.report.figures import STYLE, save_figure
from bench.report.grid import Cell, Grid, Line, write_grid
from bench.report.names import registered_names
from bench.report.paper import SIMULATED
from bench.runfolder import VOTES, RunFolder
from study_app.analysis import humans, ranking
from study_app.analysis.export import read_votes
from study_app.store.store import Store

#: The line of all comparisons together.
ALL = "all"
ALPHA = 0.05


@dataclass(frozen=True)
class Agreement:
    """What `agree` found.

    Attributes:
        lines: `humans.PER_CLIP_COLUMNS` for each comparison and for all of them (column `comparison`).
        sets: `humans.PER_SET_COLUMNS`.
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
    """The votes of an exported folder, a `votes.csv`, or a study in a database (a file or a URL).

    Raises:
        BenchError: no such study; or a database's study was made of other videos than the run holds now.
    """
    path = Path(study)
    if path.is_dir() or path.suffix == ".csv":
        return read_votes(path / VOTES if path.is_dir() else path)
    opened = Store(study).open(name)
    votes = opened.votes()
    for (row, clip), encoded in opened.clips().items():
        folder = RunFolder(run).predictions(row)
        if encoded.source_sha256 and folder.is_dir():
            held = Predictions(folder)
            if clip in held.ids and held.sha256(clip) != encoded.source_sha256:
                raise BenchError(
                    f"People saw another video of {row}, clip {clip}, than the one in {run}: give the run that the "
                    "study was made from."
                )
    return votes


def agree(run: Path, study: str, name: str | None = None, out: Path | None = None) -> tuple[Agreement, Grid]:
    """Hold a run's scores against a study's votes; writes table and figure to `out` (RUN/agreement by default).

    Raises:
        BenchError: no scores, no votes that count, only votes against real clips, or votes on rows or clips that the
            run has no scores of.
    """
    scores = humans.read_scores(RunFolder(run).per_clip)
    direction = humans.directions(scores)
    votes = open_votes(study, name, run)
    if not len(votes):
        raise BenchError(f"The study {study} has no votes yet.")
    _check(votes, scores, run)
    seeds = humans.shown_seeds(run, set(votes["first"]) | set(votes["second"]))
    counting = humans.between_models(votes)
    parts = [(ALL, votes), *((str(pair), own) for pair, own in counting.groupby("comparison", sort=False))]
    tables = [humans.per_clip(own, scores, direction, seeds).assign(comparison=pair) for pair, own in parts]
    strengths, summary = ranking.bradley_terry(votes), humans.read_scores(RunFolder(run).summary)
    found = Agreement(
        pd.concat(tables, ignore_index=True).sort_values("agrees", ascending=False, kind="stable"),
        humans.per_set(strengths, summary, humans.directions(summary)),
        bool(votes["simulated"].any()),
    )
    if not len(found.overall):
        raise BenchError(f"The scores of {run} hold no metric with a value for both clips of a pair: score it again.")
    grid, folder = make_grid(found), out or RunFolder(run).agreement.parent
    write_grid(grid, folder, "agree")
    draw(found, folder / "agree")
    return found, grid


def _check(votes: pd.DataFrame, scores: pd.DataFrame, run: Path) -> None:
    counting = humans.between_models(votes)
    if not len(counting):
        raise BenchError(
            "No vote that counts is about two models, and against real clips a metric knows the answer: ask for "
            "comparisons of models."
        )
    known = set(zip(scores["row"], scores["clip"], strict=True))
    shown = {
        (row, clip) for side in ("first", "second") for row, clip in zip(counting[side], counting["clip"], strict=True)
    }
    if missing := sorted(shown - known):
        row, clip = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BenchError(f"{run} has no scores of {row}, clip {clip}{more}: give the run that the study was made from.")


def _percent(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "–"


def comparison_title(pair: str) -> str:
    """A comparison in print: "MD-GAN Stage II over VGAN"."""
    return (
        " over ".join(registered_names().title(row) for row in pair.split(" over "))
        if pair != ALL
        else "All comparisons"
    )


def make_grid(found: Agreement) -> Grid:
    """Metrics in rows; all comparisons together with interval, p value and what people reach, then each comparison."""
    pairs = [pair for pair in dict.fromkeys(found.lines["comparison"]) if pair != ALL]
    by = found.lines.set_index(["metric", "comparison"])
    correlation: Mapping[str, float] = dict(zip(found.sets["metric"], found.sets["rank_correlation"], strict=True))
    best = found.overall["agrees"].round(1).max()
    lines = []
    for _, own in found.overall.iterrows():
        metric = str(own["metric"])
        apart = [
            Cell(_percent(by.loc[(metric, pair), "agrees"]) if (metric, pair) in by.index else "–") for pair in pairs
        ]
        interval = f"[{own['ci_low']:.1f}, {own['ci_high']:.1f}]"
        cells = [Cell(_percent(own["agrees"]), bool(round(own["agrees"], 1) == best), interval)]
        cells += [Cell(f"{own['p_holm']:.3f}"), Cell(_percent(own["humans"])), Cell(_percent(own["ceiling"]))]
        rank = correlation.get(metric, math.nan)
        lines.append(Line(metric, metric, [*cells, *apart, Cell(f"{rank:.2f}" if math.isfinite(rank) else "–")]))
    votes, raters, clips = (int(found.overall[key].max()) for key in ("votes", "raters", "clips"))
    systems = f" over {found.sets['systems'].max()} models: descriptive" if len(found.sets) else ""
    only_sets = sorted(set(found.sets["metric"]) - set(found.overall["metric"]))
    told = [f"{name}: {correlation[name]:.2f}" for name in only_sets if math.isfinite(correlation[name])]
    return Grid(
        corner="Metric",
        key="metric",
        keys=["agrees", "p_holm", "humans", "ceiling", *pairs, "rank_correlation"],
        heads=["Predicts", "p", "Humans", "Ceiling", *(comparison_title(pair) for pair in pairs), "Rank corr."],
        lines=lines,
        caption=f"Percentage of votes between two models that a metric predicts: {votes} votes of {raters} raters on "
        f"{clips} clips.",
        notes=[
            "In brackets: 95 % interval over raters and clips. p: of a metric that predicts nothing (whole clips "
            "flipped), Holm-corrected over metrics.",
            "Humans: how often a rater agrees with the majority of the others who saw the pair. Ceiling: the majority "
            "of each pair, too high where pairs have few votes. Both need two votes on a pair.",
            f"Rank corr.: Spearman's, of a metric's mean with the Bradley–Terry strength{systems}."
            + (f" Of metrics without a value a clip: {', '.join(told)}." if told else ""),
            "Comparisons with real clips are left out: against them a metric knows the answer.",
        ],
        warning=SIMULATED if found.simulated else "",
    )


def draw(found: Agreement, path: Path) -> None:
    """A dot and an interval a metric, a small mark a comparison, with chance and people as lines."""
    overall = found.overall.iloc[::-1].reset_index(drop=True)
    pairs = [pair for pair in dict.fromkeys(found.lines["comparison"]) if pair != ALL]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.6, 0.9 + 0.34 * len(overall)))
        y = np.arange(len(overall))
        axis.axvline(50, color="0.5", linewidth=0.8, linestyle=":", label="chance")
        for key, style, label in (("humans", "-", "one rater against the others"), ("ceiling", "--", "ceiling")):
            value = overall[key].mean()
            if math.isfinite(value):
                axis.axvline(value, color="0.3", linewidth=0.9, linestyle=style, label=label)
        for number, pair in enumerate(pairs):
            own = found.lines[found.lines["comparison"] == pair].set_index("metric")["agrees"]
            marker, colour = "sDv^<>PX"[number % 8], f"C{(number + 1) % 10}"
            values = own.reindex(overall["metric"])
            axis.plot(values, y, marker, color=colour, markersize=4, alpha=0.75, label=comparison_title(pair))
        low, high = overall["agrees"] - overall["ci_low"], overall["ci_high"] - overall["agrees"]
        axis.errorbar(overall["agrees"], y, xerr=[low, high], fmt="o", color="C0", capsize=3, label="all comparisons")
        axis.set(yticks=y, yticklabels=overall["metric"], xlim=(-2, 102), xlabel="votes predicted (%)")
        axis.set_ylim(-0.6, len(overall) - 0.4)
        axis.grid(axis="y", visible=False)
        if found.simulated:
            axis.set_title("Simulated raters, not people", color="#b00020", fontweight="bold")
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), fontsize=7)
        save_figure(figure, path)
