"""Curves of the expected best of k samples over k, which show how much of a method's score is due to selection."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from bench.registry import METRICS
from bench.report.figures.curves import LINES, legend_below, panels
from bench.report.figures.style import STYLE, save_figure
from bench.report.row_names import RowNames
from bench.scoring.sample_lines import BEST, MEAN, SampleLine


def best_of_figure(lines: Sequence[SampleLine], names: RowNames, path: Path) -> None:
    """Plot each metric's best@k over k with its 95 % band over source videos.

    A method with one video per clip is a horizontal line.
    """
    curves: dict[str, dict[str, list[SampleLine]]] = {}
    for line in lines:
        if (line.statistic == MEAN and line.k == 1) or line.statistic == BEST:
            curves.setdefault(line.metric, {}).setdefault(line.row, []).append(line)
    if not curves:
        return
    rows = list(dict.fromkeys(line.row for line in lines))
    most = max(line.samples for line in lines)
    colour, style = names.colours_of(rows), dict(zip(rows, itertools.cycle(LINES), strict=False))
    with plt.rc_context(STYLE):
        figure, axes = panels(len(curves), 1.75)
        for axis, (name, of_rows) in zip(axes, curves.items(), strict=True):
            for row, curve in of_rows.items():
                points = sorted(curve, key=lambda line: line.k)
                k, value, low, high = np.array([[p.k, p.value, p.ci_low, p.ci_high] for p in points], np.float64).T
                if len(points) == 1:
                    k, value, low, high = np.array([1.0, most]), *(np.repeat(one, 2) for one in (value, low, high))
                axis.plot(k, value, label=names.title(row), color=colour[row], linestyle=style[row], linewidth=1.3)
                axis.fill_between(k, low, high, color=colour[row], alpha=0.15, linewidth=0)
            axis.set(title=METRICS.load(name).head, xlabel="best of k samples", xlim=(1, most))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        legend_below(figure, axes)
        save_figure(figure, path, cut=False)
