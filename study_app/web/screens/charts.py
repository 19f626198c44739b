"""Charts of the admin page."""

from __future__ import annotations

import altair as alt
import pandas as pd

from study_app.design.settings import Settings

INK, MARK = "#2f4b66", "#1c1c1c"
Chart = alt.Chart | alt.LayerChart


def _finish(chart: Chart, rows: int) -> Chart:
    styled = chart.properties(height=max(60, 34 * rows), background="transparent")
    axes = {"labelColor": MARK, "titleColor": MARK, "gridColor": "#b4b4b4", "domain": False}
    axes |= {"labelLimit": 220, "labelOverlap": False, "tickCount": 6}
    return styled.configure_view(stroke=None).configure_axis(**axes)


def progress(table: pd.DataFrame) -> Chart:
    """Votes had of votes wanted, a bar a comparison."""
    y = alt.Y("comparison:N", sort=list(table["comparison"]), title=None)
    wanted = alt.Chart(table).mark_bar(color="#b0b0b0", size=14).encode(y=y, x=alt.X("wanted:Q", title="votes"))
    had = (
        alt.Chart(table)
        .mark_bar(color=INK, size=14)
        .encode(y=y, x="votes:Q", tooltip=["comparison", "votes", "wanted"])
    )
    return _finish(wanted + had, len(table))


def pos(table: pd.DataFrame) -> Chart:
    """POS with both intervals; 50 marked."""
    table = table[table["votes"] > 0]
    y = alt.Y("comparison:N", sort=list(table["comparison"]), title=None)
    x = alt.Scale(domain=[0, 100])
    base = alt.Chart(table).encode(y=y)
    even = alt.Chart(pd.DataFrame({"even": [50]})).mark_rule(color="#6b6b6b", strokeDash=[4, 4]).encode(x="even:Q")
    title = "trials in which the first was chosen (%)"
    crossed = base.mark_rule(color=INK, size=1.2).encode(
        x=alt.X("crossed_low:Q", scale=x, title=title), x2="crossed_high:Q"
    )
    exact = base.mark_rule(color=INK, size=5, opacity=0.55).encode(x=alt.X("ci_low:Q", scale=x), x2="ci_high:Q")
    tip = ["comparison", "chosen", "votes", "pos", "ci_low", "ci_high", "p_holm"]
    dot = base.mark_point(color=MARK, filled=True, size=70, opacity=1).encode(x=alt.X("pos:Q", scale=x), tooltip=tip)
    return _finish(even + crossed + exact + dot, len(table))


def strengths(table: pd.DataFrame) -> Chart:
    """Bradley–Terry strengths with intervals."""
    base = alt.Chart(table).encode(y=alt.Y("system:N", sort=list(table["system"]), title=None))
    title = "strength (log odds)"
    rule = base.mark_rule(color=INK, size=4, opacity=0.55).encode(x=alt.X("ci_low:Q", title=title), x2="ci_high:Q")
    dot = base.mark_point(color=MARK, filled=True, size=70, opacity=1).encode(
        x="strength:Q", tooltip=list(table.columns)
    )
    return _finish(rule + dot, len(table))


def raters(table: pd.DataFrame, settings: Settings) -> Chart:
    """Median response time against catch trials got right, a point a rater."""
    shown = table.assign(
        seconds=table["median_ms"] / 1000,
        caught=100 * table["catch_right"] / table["catch_had"].where(table["catch_had"] > 0),
        counts=(table["excluded"] == "").map({True: "counted", False: "excluded"}),
    )
    base = alt.Chart(shown).mark_point(filled=True, size=80, opacity=0.8)
    points = base.encode(
        x=alt.X("seconds:Q", title="median response time (s)"),
        y=alt.Y("caught:Q", title="catch trials right (%)", scale=alt.Scale(domain=[0, 105])),
        color=alt.Color(
            "counts:N", title=None, scale=alt.Scale(domain=["counted", "excluded"], range=[INK, "#9b2c1f"])
        ),
        tooltip=["rater", "votes", "catch_right", "catch_had", "left", "median_ms", "excluded"],
    )
    rule = 100 * settings.catch_pass / settings.catch if settings.catch else 0
    line = alt.Chart(pd.DataFrame({"rule": [rule]})).mark_rule(color="#6b6b6b", strokeDash=[4, 4]).encode(y="rule:Q")
    return _finish(line + points, 6)
