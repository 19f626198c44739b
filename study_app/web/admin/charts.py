"""Charts of the admin page, in the style of the report's figures, as SVG."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import streamlit as st
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.report.figures.style import STYLE
from study_app.design.settings import StudySettings

#: Colours that are visible on a light and on a dark background.
INK, OUT = "#2f78c4", "#d1495b"
#: Background → colour of text, marks and lines.
LETTERS = {"light": "#31333f", "dark": "#e6e6ea"}
#: A style applies to the whole process, but each visit runs in its own thread.
_one_at_a_time = threading.Lock()


def _svg(rows: int, draw: Callable[[Axes], None]) -> str:
    """Draw on an axis tall enough for `rows` lines, with a transparent background."""
    letters = _letters()
    own: Any = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), letters)
    with _one_at_a_time, plt.rc_context({**STYLE, **own, "grid.color": "#80808040"}):
        figure = Figure(figsize=(7.2, 0.75 + 0.34 * rows), layout="constrained")
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True)
    return out.getvalue()


def _letters() -> str:
    """Text colour of the visitor's theme."""
    return LETTERS.get(st.context.theme.type or "", LETTERS["light"])


def _name_rows(axis: Axes, names: Sequence[str]) -> np.ndarray:
    """Label the lines of the chart from the top down; return their y positions."""
    y = np.arange(len(names))
    axis.set(yticks=y, yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    return y


def votes_over_time(had: pd.Series[int], wanted: int) -> str:
    """Votes received over time, up to now, with the number wanted marked."""

    def draw(axis: Axes) -> None:
        axis.plot(had.index, had.to_numpy(), color=INK, linewidth=1.8, drawstyle="steps-post")
        axis.axhline(wanted, color="#808080", linestyle="--", linewidth=1)
        axis.set(ylim=(0, None), xlim=(had.index[0], had.index[-1]), ylabel="votes")
        ticks = AutoDateLocator(maxticks=8)
        axis.xaxis.set_major_locator(ticks)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(ticks))  # show the day once, not at each tick

    return _svg(5, draw)


def left_after(left: pd.Series[int]) -> str:
    """Number of raters who left, by number of answers given."""

    def draw(axis: Axes) -> None:
        axis.bar(left.index, left.to_numpy(), width=0.8, color=INK)
        axis.set(xlabel="answers given", ylabel="raters who left", xlim=(-0.6, max(left.index, default=0) + 0.6))
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))

    return _svg(4, draw)


def pos(table: pd.DataFrame) -> str:
    """POS with both intervals, and a mark at 50."""
    asked = table[table["votes"] > 0]

    def draw(axis: Axes) -> None:
        y = _name_rows(axis, list(asked["comparison"]))
        axis.axvline(50, color="#808080", linestyle="--", linewidth=1)
        axis.hlines(y, asked["exact_low"], asked["exact_high"], color=INK, linewidth=5, alpha=0.55)
        axis.hlines(y, asked["ci_low"], asked["ci_high"], color=INK, linewidth=1.2)
        axis.plot(asked["pos"], y, "o", color=_letters())
        axis.set(xlim=(0, 100), xlabel="trials in which the first was chosen (%)")

    return _svg(len(asked), draw)


def means(table: pd.DataFrame) -> str:
    """Mean grades with intervals, on the full scale."""
    graded = table[table["ratings"] > 0]

    def draw(axis: Axes) -> None:
        y = _name_rows(axis, list(graded["system"]))
        axis.hlines(y, graded["ci_low"], graded["ci_high"], color=INK, linewidth=4, alpha=0.55)
        axis.plot(graded["mos"], y, "o", color=_letters())
        axis.set(xlim=(0.9, 5.1), xlabel="mean grade")

    return _svg(len(graded), draw)


def strengths(table: pd.DataFrame) -> str:
    """Bradley–Terry strengths with intervals; an unbounded interval is cut off just beyond the finite values."""
    ends = table[["ci_low", "strength", "ci_high"]].to_numpy(np.float64)
    finite = ends[np.isfinite(ends)]
    low, _, high = np.clip(ends, finite.min(initial=0.0) - 1, finite.max(initial=0.0) + 1).T

    def draw(axis: Axes) -> None:
        y = _name_rows(axis, list(table["system"]))
        axis.hlines(y, low, high, color=INK, linewidth=4, alpha=0.55)
        axis.plot(table["strength"], y, "o", color=_letters())
        axis.set_xlabel("strength (log odds)")

    return _svg(len(table), draw)


def raters(table: pd.DataFrame, settings: StudySettings) -> str:
    """Median response time against share of catch trials right, one point per rater, with the rule on catch trials."""
    caught = 100 * table["catch_right"] / table["catch_had"].where(table["catch_had"] > 0)
    counts = table["excluded"] == ""
    seconds = table["median_ms"] / 1000  # missing for raters who have only practised
    end = 1.1 * max(1.0, float(seconds.fillna(0).max()))

    def draw(axis: Axes) -> None:
        if settings.catch:
            axis.axhline(100 * settings.catch_pass / settings.catch, color="#808080", linestyle="--", linewidth=1)
        for shown, colour, marker, label in ((counts, INK, "o", "counted"), (~counts, OUT, "x", "excluded")):
            axis.plot(seconds[shown], caught[shown], marker, color=colour, label=label)
        axis.set(xlabel="median response time (s)", ylabel="catch trials right (%)", xlim=(0, end), ylim=(0, 105))
        axis.legend(loc="lower right")

    return _svg(6, draw)
