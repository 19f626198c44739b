"""Curves and distributions of a run: metrics over time and over clips, trainings, preferences of people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from bench.engine.log import read_log
from bench.metrics.base import ClipMetric
from bench.registry import METRICS
from bench.report.figures import STYLE, save_figure
from bench.report.names import RowNames
from bench.report.paper import SIMULATED, paper
from bench.scoring.protocol import Protocol
from bench.scoring.tidy import ScoredClips, clip_values

#: The column of a training log that is no loss.
SPEED = "clips_per_second"


def over_time_figure(scored: ScoredClips, names: RowNames, path: Path) -> None:
    """Each metric over the frame number: the mean over clips of every row."""
    metrics = [metric for name in METRICS if issubclass(metric := METRICS.load(name), ClipMetric)]
    means = {metric: curves for metric in metrics if (curves := _means(scored, metric))}
    if not means:
        return
    colour = names.colours_of(scored.rows)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(means), figsize=(3.1 * len(means), 2.6), squeeze=False)
        figure.subplots_adjust(wspace=0.3)
        for axis, (metric, curves) in zip(axes[0], means.items(), strict=True):
            for row, curve in curves.items():
                axis.plot(np.arange(1, len(curve) + 1), curve, label=names.title(row), linewidth=1.4, color=colour[row])
            axis.set(title=metric.curve_head, xlabel="frame", xlim=(1, None))
            if metric.direction == "one":
                axis.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(handles), bbox_to_anchor=(0.5, -0.17))
        save_figure(figure, path)


def _means(scored: ScoredClips, metric: type[ClipMetric]) -> dict[str, np.ndarray]:
    """A metric's curve by row, from the means over clips and seeds of its columns; rows that lack one have none."""
    curves = {}
    for row in scored.rows:
        own = [columns for (r, _, _), columns in scored.columns.items() if r == row]
        if not all(name in columns for columns in own for name in metric.columns):
            continue
        means = {}
        for name in metric.columns:
            values = np.array([columns[name] for columns in own])
            finite = np.isfinite(values)  # a frame that is identical has an infinite PSNR and is no part of the mean
            with np.errstate(invalid="ignore"):
                means[name] = np.where(finite, values, 0).sum(axis=0) / finite.sum(axis=0)
        if (curve := metric.curve(means)) is not None:
            curves[row] = curve
    return curves


def training_figure(logs: dict[str, Path], path: Path) -> None:
    """Over the steps of every stage of every training: its losses and validation error, and below them its speed."""
    panels = []
    for name, log in logs.items():
        rows = read_log(log)
        for stage in dict.fromkeys((row[0], row[1]) for row in rows):
            panels.append((f"{name}, {stage[1]}", [row for row in rows if (row[0], row[1]) == stage]))
    if not panels:
        return
    with plt.rc_context(STYLE):
        shape: dict[str, Any] = {"sharex": "col", "squeeze": False, "gridspec_kw": {"height_ratios": (3, 1)}}
        figure, axes = plt.subplots(2, len(panels), figsize=(3.3 * len(panels), 3.5), **shape)
        figure.subplots_adjust(wspace=0.3, hspace=0.12)
        for (losses, speed), (name, rows) in zip(axes.T, panels, strict=True):
            _losses(losses, rows)
            losses.set(title=name)
            speed.plot(*_points(rows, SPEED), color="0.4", linewidth=1)
            speed.set(xlabel="step", ylim=(0, None))
            # Below the panel: losses run all over it.
            handles, labels = losses.get_legend_handles_labels()
            speed.legend(handles, labels, fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.6))
        axes[1][0].set_ylabel("clips/s")
        save_figure(figure, path)


def _losses(axis: Axes, rows: Sequence[Sequence[str]]) -> None:
    for term in dict.fromkeys(row[3] for row in rows):
        if term == SPEED:
            continue
        marker = "o" if term.startswith("validation") else None
        axis.plot(*_points(rows, term), label=term, linewidth=1, marker=marker, markersize=3)


def _points(rows: Sequence[Sequence[str]], term: str) -> tuple[list[int], list[float]]:
    """Steps and values of one column of a training log."""
    own = [row for row in rows if row[3] == term]
    return [int(row[2]) for row in own], [float(row[4]) for row in own]


def clip_metrics(scored: ScoredClips) -> dict[str, ClipMetric]:
    """The registered metrics with a value a clip whose columns every row has."""
    found = {}
    for name in METRICS:
        metric = METRICS.load(name)
        if issubclass(metric, ClipMetric) and all(
            part in columns for columns in scored.columns.values() for part in metric.columns
        ):
            found[name] = metric()
    return found


def distribution_figure(scored: ScoredClips, protocol: Protocol, names: RowNames, path: Path) -> None:
    """Each metric's values over clips: a box (quartiles, median) and a dot a clip, for every row.

    Values that are not finite are left out, as in the means. With several seeds a dot is a clip and a seed.
    """
    metrics = clip_metrics(scored)
    if not metrics:
        return
    colour, rows = names.colours_of(scored.rows), scored.rows[::-1]
    with plt.rc_context(STYLE):
        size = (2.6 * len(metrics) + 0.8, 0.34 * len(rows) + 0.9)
        figure, axes = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False)
        figure.subplots_adjust(wspace=0.12)
        for axis, metric in zip(axes[0], metrics.values(), strict=True):
            values = clip_values(scored, metric, protocol)
            for y, row in enumerate(rows):
                own = np.array([value for (r, _, _), value in values.items() if r == row])
                own = np.sort(own[np.isfinite(own)])
                if not len(own):
                    continue
                _box(axis, own, y, colour[row])
                offsets = 0.16 * np.sin(np.arange(len(own)) * 2.4)  # spread, the same in every drawing
                axis.plot(own, y + offsets, ".", color=colour[row], markersize=3, alpha=0.5)
            axis.set_title(metric.head, fontsize=9)
            axis.set_yticks(range(len(rows)), [names.title(row) for row in rows])
            axis.grid(axis="y", visible=False)
        save_figure(figure, path)


def _box(axis: Axes, values: np.ndarray, y: int, colour: str) -> None:
    line = {"color": colour}
    shape: dict[str, Any] = {"boxprops": line, "whiskerprops": line, "capprops": line, "medianprops": line}
    shape |= {"widths": 0.55, "showfliers": False, "manage_ticks": False}
    axis.boxplot(values, positions=[y], orientation="horizontal", **shape)


def pos_figure(pos: Sequence[Mapping[str, Any]], names: RowNames, path: Path) -> None:
    """Preferences as bars with their 95 % intervals, the paper's numbers as diamonds, chance as a line.

    Args:
        pos: lines of a study (first, second, votes, pos, ci_low, ci_high, simulated); lines without votes are no bars.
        names: of the rows, in print.
        path: `.png` or `.pdf`; without an ending both are written.
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
        bars: dict[str, Any] = {"color": [colour[line["first"]] for line in lines], "height": 0.6, "alpha": 0.85}
        axis.barh(y, shares, xerr=ends, error_kw={"capsize": 3, "linewidth": 1}, **bars)
        axis.axvline(50, color="0.35", linewidth=0.8, linestyle=":")
        printed = paper().preferences
        theirs = [printed.get((line["first"], line["second"]), math.nan) for line in lines]
        if not all(map(math.isnan, theirs)):
            axis.plot(theirs, y, "D", color="white", markeredgecolor="black", markersize=5, label="paper")
            axis.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0))
        told = [(names.title(line["first"]), names.title(line["second"]), line["votes"]) for line in lines]
        axis.set_yticks(y, [f"{first} over {second} (n = {votes:.0f})" for first, second, votes in told])
        axis.set(xlim=(0, 100), xlabel="chosen as more realistic (%)")
        axis.grid(axis="y", visible=False)
        if any(line["simulated"] for line in lines):
            axis.set_title(SIMULATED.rstrip("."), color="#b00020", fontweight="bold")
        save_figure(figure, path)
