"""Curves of metrics of whole sets over time, with real vs. real for reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from bench.registry import METRICS
from bench.report.figures.curves import LINES, legend_below, panels
from bench.report.figures.style import STYLE, save_figure
from bench.report.row_names import RowNames
from bench.scoring.horizon import PartScore
from bench.scoring.set_metrics import REAL_HALVES

#: Axis label by kind of curve: what its points are.
AXES = {"horizon": "first frames", "windows": "first frame of the window"}


def horizon_figure(points: Sequence[PartScore], names: RowNames, path: Path) -> None:
    """Draw a panel for each metric and kind of curve: every method with its 95 % band, and real vs. real in grey."""
    kinds = list(dict.fromkeys((point.metric, point.part.curve) for point in points))
    rows = list(dict.fromkeys(point.row for point in points if point.row != REAL_HALVES))
    colour, line = names.colours_of(rows), dict(zip(rows, itertools.cycle(LINES), strict=False))
    with plt.rc_context(STYLE):
        figure, axes = panels(len(kinds), 1.75)
        for axis, (metric, curve) in zip(axes, kinds, strict=True):
            for row in [*rows, REAL_HALVES]:
                of_row = [p for p in points if (p.metric, p.part.curve, p.row) == (metric, curve, row)]
                if not of_row:
                    continue
                x = np.array([p.part.last if curve == "horizon" else p.part.first for p in of_row])
                low, value, high = (np.array([getattr(p, key) for p in of_row]) for key in ("low", "value", "high"))
                shade = colour.get(row, "0.5")
                style: dict[str, Any] = {"linestyle": line.get(row, ":"), "color": shade, "linewidth": 1.3}
                axis.plot(x, value, marker=".", label=names.title(row), **style)
                axis.fill_between(x, low, high, color=shade, alpha=0.15, linewidth=0)
            axis.set(title=METRICS.load(metric).head, xlabel=AXES[curve])
        legend_below(figure, axes)
        save_figure(figure, path, cut=False)
