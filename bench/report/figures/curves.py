"""Curves and distributions of a run: metrics over time and over clips, training runs, preferences of raters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.special import stdtrit

from bench.engine.training_log import read_log
from bench.metrics.base import ClipMetric, Column
from bench.registry import METRICS
from bench.report.figures.style import PAGE, STYLE, save_figure
from bench.report.row_names import RowNames
from bench.report.tables.paper_tables import SIMULATED, paper
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips, clip_values

#: Columns of a training log that are not losses.
SPEED, VALIDATION = "clips_per_second", "validation/mse"
#: Line styles that distinguish lines if colours do not: in print without colour, and for colour-blind readers.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
#: Colours of the losses, in order of occurrence (Okabe and Ito 2008). Each further cycle uses the next line style.
LOSSES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
#: Number of panels side by side, and of names per line of a legend.
ACROSS, LEGEND_COLUMNS = 3, 3


def all_curves(scored: ScoredClips) -> Curves:
    """Curves over the frame number for every registered metric that has any."""
    metrics = [metric for name in METRICS if issubclass(metric := METRICS.load(name), ClipMetric)]
    return {metric: found for metric in metrics if (found := frame_curves(scored, metric))}


def over_time_figure(curves: Curves, rows: Sequence[str], names: RowNames, path: Path) -> None:
    """Plot each metric over the frame number: the mean over clips of every row, and its 95 % band over source videos.

    Args:
        curves: the result of `all_curves`; if it is empty, nothing is drawn.
        rows: rows of the table, which get colours and line styles in this order.
        names: display names of the rows.
        path: `.png` or `.pdf`; without an extension, both are written.
    """
    if not curves:
        return
    colour, line = names.colours_of(rows), dict(zip(rows, itertools.cycle(LINES), strict=False))
    with plt.rc_context(STYLE):
        figure, axes = panels(len(curves), 1.75)
        for axis, (metric, found) in zip(axes, curves.items(), strict=True):
            for row, curve in found.items():
                frames = np.arange(1, len(curve.mean) + 1)
                style: dict[str, Any] = {"linestyle": line[row], "color": colour[row], "linewidth": 1.3}
                axis.plot(frames, curve.mean, label=names.title(row), **style)
                axis.fill_between(frames, curve.low, curve.high, color=colour[row], alpha=0.15, linewidth=0)
            axis.set(title=metric.curve_head, xlabel="frame", xlim=(1, None))
            if (top := top_of(found, metric)) is not None:
                axis.set_ylim(top=top)
            if metric.direction == "one":
                axis.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
        legend_below(figure, axes)
        save_figure(figure, path, cut=False)


def panels(count: int, height: float, **shape: Any) -> tuple[Figure, list[Axes]]:
    """A page-wide figure with `count` panels, at most `ACROSS` per line; `height` is that of a line, in inches."""
    columns = min(count, ACROSS)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(PAGE, rows * height + 0.4), squeeze=False, layout="constrained", **shape
    )
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return figure, list(axes.flat[:count])


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Add one legend for all panels below them, with each name once."""
    found: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        found.update(zip(labels, handles, strict=True))
    if found:
        figure.legend([*found.values()], [*found], loc="outside lower center", ncols=min(len(found), LEGEND_COLUMNS))


def top_of(curves: Mapping[str, FrameCurve], metric: type[ClipMetric]) -> float | None:
    """Upper end of an axis if frames reach the metric's bound, as identical ones do; None for the default end.

    Otherwise, one identical frame would squeeze all others into a corner. Its line leaves the panel at the top.
    """
    values = np.concatenate([part for curve in curves.values() for part in (curve.mean, curve.high)])
    below = values[values < metric.frame_bound]
    return float(1.04 * below.max()) if len(below) and (values >= metric.frame_bound).any() else None


@dataclass(frozen=True)
class FrameCurve:
    """A metric over the frame number, float64 `[T]`: the mean over clips and its 95 % band; NaN for missing values."""

    mean: Column
    low: Column
    high: Column


#: Curves by metric and row.
Curves = Mapping[type[ClipMetric], Mapping[str, FrameCurve]]


def frame_curves(scored: ScoredClips, metric: type[ClipMetric]) -> dict[str, FrameCurve]:
    """A metric's curve by row, from its columns' means over clips, seeds and samples; rows that lack one are omitted.

    The band is a delete-one-cluster jackknife over source videos, with a t quantile. A frame has a band only if its
    value is finite in every replicate; a ratio to motionless real clips, for example, is not. Frame values are capped
    at the metric's `frame_bound`, as in the metric's score.
    """
    found = {}
    for row in scored.rows:
        own = [(clip, columns) for (r, _, clip), columns in scored.columns.items() if r == row]
        if not all(name in columns for _, columns in own for name in metric.columns):
            continue
        video = np.array([scored.videos[clip] for clip, _ in own])
        values = {
            n: np.array([_mean_of_samples(_bounded(columns[n], metric)) for _, columns in own]) for n in metric.columns
        }
        if (mean := metric.curve(_means(values))) is None:
            continue
        distinct = np.unique(video)
        without = [metric.curve(_means({name: v[video != one] for name, v in values.items()})) for one in distinct]
        mean, reach = _finite(mean), np.full_like(mean, np.nan)
        if (count := len(distinct)) > 1:
            spread = _finite(np.array(without, np.float64))
            error = np.sqrt((count - 1) / count * ((spread - spread.mean(axis=0)) ** 2).sum(axis=0))
            reach = error * stdtrit(count - 1, 0.975)
        found[row] = FrameCurve(mean, mean - reach, mean + reach)
    return found


def _bounded(values: Column, metric: type[ClipMetric]) -> Column:
    """Values of frames, capped at the metric's bound."""
    return np.minimum(values, metric.frame_bound)


def _finite(values: Column) -> Column:
    """Values with NaN in place of infinite ones."""
    return np.where(np.isfinite(values), values, np.nan)


def _means(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean over clips, `[T]`, of each column `[N, T]`."""
    means = {}
    for name, column in values.items():
        finite = np.isfinite(column)  # a clip without a value at a frame is left out of that frame's mean
        with np.errstate(invalid="ignore"):
            means[name] = np.where(finite, column, 0).sum(axis=0) / finite.sum(axis=0)
    return means


def _mean_of_samples(values: Column) -> Column:
    """Values of a clip, `[T]`, or of its samples, `[K, T]`, as one value per frame."""
    return _means({"": values})[""] if values.ndim == 2 else values


def training_figure(logs: Mapping[str, Path], names: RowNames, path: Path) -> None:
    """Plot losses, validation error and speed over the steps, with a line of panels for each stage of each model.

    A loss has the same colour and line style in all panels. Further seeds of a model are fainter lines in its panels.

    Args:
        logs: training logs by the name of the training run's folder, `<model>-<seed>`.
        names: display names of the rows.
        path: `.png` or `.pdf`; without an extension, both are written.
    """
    stages: dict[tuple[str, int, str], list[Sequence[Sequence[str]]]] = {}
    for folder, log in logs.items():
        lines = read_log(log)
        for place, name in dict.fromkeys((line[0], line[1]) for line in lines):
            own = [line for line in lines if (line[0], line[1]) == (place, name)]
            stages.setdefault((folder.rpartition("-")[0], int(place), name), []).append(own)
    if not stages:
        return
    terms = dict.fromkeys(row[3] for seeds in stages.values() for rows in seeds for row in rows)
    losses = [term for term in terms if term not in (SPEED, VALIDATION)]
    looks = dict(zip(losses, itertools.product(LINES, LOSSES), strict=False))
    with plt.rc_context(STYLE):
        shape: dict[str, Any] = {"squeeze": False, "layout": "constrained", "gridspec_kw": {"width_ratios": (2, 1, 1)}}
        figure, axes = plt.subplots(len(stages), 3, figsize=(PAGE, 1.5 * len(stages) + 0.5), **shape)
        for panels, ((model, number, stage), seeds) in zip(axes, stages.items(), strict=True):
            for seed, rows in enumerate(seeds):
                for term, (line, colour) in looks.items():
                    _draw_term(panels[0], rows, term, seed, color=colour, linestyle=line, label=loss_title(term))
                _draw_term(panels[1], rows, VALIDATION, seed, color="0.2", marker="o", markersize=2.5)
                _draw_term(panels[2], rows, SPEED, seed, color="0.4")
            panels[0].set(title=names.stage_title(model, number, stage), ylabel="loss", xlabel="step")
            drawn = [value for curve in panels[0].get_lines() for value in curve.get_ydata()]
            if drawn and min(drawn) > 0:  # adversarial and content losses differ by orders of magnitude
                panels[0].set_yscale("log")
                panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                panels[0].yaxis.set_minor_formatter(NullFormatter())
            for panel, title, unit in ((panels[1], "validation", "MSE"), (panels[2], "speed", "clips/s")):
                highest = max((value for curve in panel.get_lines() for value in curve.get_ydata()), default=0) or 1
                panel.set(title=title, ylabel=unit, xlabel="step", ylim=(0, 1.08 * highest))
        legend_below(figure, axes[:, 0])
        save_figure(figure, path, cut=False)


def loss_title(term: str) -> str:
    """Display name of a loss.

    >>> loss_title("generator/first_frame")
    'generator: first frame'
    """
    return term.replace("/", ": ").replace("_", " ")


def _draw_term(axis: Axes, rows: Sequence[Sequence[str]], term: str, seed: int, **style: Any) -> None:
    """Plot one term of a training log over the steps, if the log contains it."""
    own = [row for row in rows if row[3] == term]
    if own:
        style |= {"alpha": 0.45} if seed else {}
        axis.plot([int(row[2]) for row in own], [float(row[4]) for row in own], linewidth=1, **style)


def clip_metrics(scored: ScoredClips) -> dict[str, ClipMetric]:
    """The registered metrics with one value per clip whose columns every row has."""
    metrics = {}
    for name in METRICS:
        metric = METRICS.load(name)
        if issubclass(metric, ClipMetric) and all(
            part in columns for columns in scored.columns.values() for part in metric.columns
        ):
            metrics[name] = metric()
    return metrics


def distribution_figure(scored: ScoredClips, protocol: Protocol, names: RowNames, path: Path) -> None:
    """Plot each metric's values over clips: a box (quartiles, median) and one dot per clip, for every row.

    Values that are not finite are left out, as in the means. With several seeds, there is one dot per clip and seed.
    """
    metrics = clip_metrics(scored)
    if not metrics:
        return
    colour, rows = names.colours_of(scored.rows), scored.rows[::-1]
    with plt.rc_context(STYLE):
        figure, axes = panels(len(metrics), 0.2 * len(rows) + 0.6, sharey=True)
        for axis, metric in zip(axes, metrics.values(), strict=True):
            values = clip_values(scored, metric, protocol)
            for y, row in enumerate(rows):
                own = np.array([value for (r, _, _), value in values.items() if r == row])
                own = np.sort(own[np.isfinite(own)])
                if not len(own):
                    continue
                _box(axis, own, y, colour[row])
                offsets = 0.16 * np.sin(np.arange(len(own)) * 2.4)  # jitter, the same in every drawing
                axis.plot(own, y + offsets, ".", color=colour[row], markersize=3, alpha=0.5)
            axis.set_title(metric.head)
            axis.set_yticks(range(len(rows)), [names.title(row) for row in rows])
            axis.grid(axis="y", visible=False)
        save_figure(figure, path, cut=False)


def _box(axis: Axes, values: np.ndarray, y: int, colour: str) -> None:
    line = {"color": colour}
    shape: dict[str, Any] = {"boxprops": line, "whiskerprops": line, "capprops": line, "medianprops": line}
    shape |= {"widths": 0.55, "showfliers": False, "manage_ticks": False}
    axis.boxplot(values, positions=[y], orientation="horizontal", **shape)


def pos_figure(pos: Sequence[Mapping[str, Any]], names: RowNames, path: Path) -> None:
    """Plot preferences as bars with their 95 % intervals, the paper's numbers as diamonds, and chance as a line.

    Args:
        pos: lines of a study (first, second, votes, pos, ci_low, ci_high, simulated); lines without votes have no bar.
        names: display names of the rows.
        path: `.png` or `.pdf`; without an extension, both are written.
    """
    lines = [line for line in pos if line["votes"]][::-1]
    if not lines:
        return
    colour = names.colours_of([line["first"] for line in lines])
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.8, 0.36 * len(lines) + 0.9))
        y = np.arange(len(lines))
        shares = np.array([line["pos"] for line in lines], np.float64)
        ends = np.array([[line["pos"] - line["ci_low"], line["ci_high"] - line["pos"]] for line in lines]).T
        ends = np.maximum(ends, 0)  # rounding may put 100 % at 99.99999999999999
        bars: dict[str, Any] = {"color": [colour[line["first"]] for line in lines], "height": 0.6, "alpha": 0.85}
        axis.barh(y, shares, xerr=ends, error_kw={"capsize": 3, "linewidth": 1}, **bars)
        axis.axvline(50, color="0.35", linewidth=0.8, linestyle=":")
        printed = paper().preferences
        paper_values = [printed.get((line["first"], line["second"]), math.nan) for line in lines]
        if not all(map(math.isnan, paper_values)):
            axis.plot(paper_values, y, "D", color="white", markeredgecolor="black", markersize=5, label="paper")
            axis.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0))
        labels = [(names.title(line["first"]), names.title(line["second"]), line["votes"]) for line in lines]
        axis.set_yticks(y, [f"{first} over {second} (n = {votes:.0f})" for first, second, votes in labels])
        axis.set(xlim=(0, 100), xlabel="chosen as more realistic (%)")
        axis.grid(axis="y", visible=False)
        if any(line["simulated"] for line in lines):
            axis.set_title(SIMULATED.rstrip("."), color="#b00020", fontweight="bold")
        save_figure(figure, path)
