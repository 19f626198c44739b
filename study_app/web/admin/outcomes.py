"""The outcomes of a study on the admin page: scores, ranking, agreement between raters and with metrics."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from bench.statistics import printed_p
from study_app.analysis import mean_opinion_scores
from study_app.design.settings import StudySettings
from study_app.pipeline import export
from study_app.store.study import OpenStudy
from study_app.web.admin import charts, style

#: Minimum time between two computations of the statistics, in seconds.
FRESH = 20


POS_CAPTION = "Thin: 95 % interval over raters and videos. Thick: exact interval, assuming independent votes."


#: Display names of the columns of `pos.csv`.
POS_COLUMNS = {
    "comparison": "Comparison", "votes": "Votes", "chosen": "First chosen", "pos": "POS", "ci_low": "95 % from",
    "ci_high": "95 % to", "p": "p", "p_holm": "p (Holm)", "exact_low": "Exact from", "exact_high": "Exact to",
    "exact_p": "Exact p", "raters": "Raters", "videos": "Videos", "clips": "Clips",
}  # fmt: skip
#: Display names of the columns of the tables on agreement and metrics.
OTHER_COLUMNS = {
    "comparison": "Comparison", "alpha": "Alpha", "pairs": "Pairs", "metric": "Metric", "votes": "Votes", "auc": "AUC",
    "ci_low": "95 % from", "ci_high": "95 % to", "p_holm": "p (Holm)", "agrees": "Predicted (%)",
    "lower": "Possible from", "upper": "Possible to", "systems_right": "Comparisons right",
    "comparisons": "Comparisons", "raters": "Raters", "clips": "Clips", "videos": "Videos", "systems": "Systems",
    "rank_correlation": "Spearman", "kendall": "Kendall", "note": "Note",
}  # fmt: skip


@st.cache_data(ttl=FRESH, show_spinner="Counting…")
def tallied(votes: pd.DataFrame, _settings: StudySettings) -> export.Results:
    """Scores, ranking and agreement of the votes, cached for `FRESH` seconds."""
    return export.results(votes, _settings)


def show_outcomes(outcomes: export.Results, titles: Callable[[str, str], str]) -> None:
    """Show scores with intervals, strengths and rater agreement; `titles` returns a comparison's display name."""
    st.header("Preference opinion scores")
    if outcomes.pos["votes"].sum() == 0:
        st.write("No votes yet.")
        return
    titled = outcomes.pos.assign(comparison=[titles(*pair) for pair in outcomes.pos[["first", "second"]].to_numpy()])
    style.picture(charts.pos(titled), POS_CAPTION)
    shown = titled.drop(columns=["first", "second", "simulated"])
    printed = {name: shown[name].map(printed_p) for name in ("p", "p_holm", "exact_p")}
    st.dataframe(shown.assign(**printed).round(3), hide_index=True, column_config=POS_COLUMNS)
    if outcomes.ties is not None:
        st.caption("POS leaves ties out. half: POS with each tie counted as half a vote for each.")
        st.dataframe(outcomes.ties.drop(columns=["first", "second"]).round(2), hide_index=True)
    st.header("Bradley–Terry strengths")
    style.picture(charts.strengths(outcomes.ranking), "With 95 % intervals over raters and clips")
    for note in outcomes.notes:
        st.caption(note)
    st.header("Agreement between raters")
    if outcomes.agreement["pairs"].max() > 0:
        st.dataframe(outcomes.agreement.round(3), hide_index=True, column_config=OTHER_COLUMNS)
    else:
        st.write("No pair has two votes yet, so agreement cannot be measured.")
    left, n, p = outcomes.side_bias
    st.write(f"Left was chosen in {left} of {n} trials (p {printed_p(p)} against one half, over raters).")
    if len(outcomes.metrics):
        st.header("Votes that each metric predicts")
        st.dataframe(outcomes.metrics.round(2), hide_index=True, column_config=OTHER_COLUMNS)
    if len(outcomes.set_metrics):
        st.dataframe(outcomes.set_metrics.round(2), hide_index=True, column_config=OTHER_COLUMNS)


def show_mean_opinion_scores(study: OpenStudy) -> None:
    """Show each method's mean and the differences between means, question by question."""
    systems = [name for name, _ in study.settings.comparisons]
    st.header("Mean opinion scores")
    names = study.settings.questions.asked(study.settings.question, study.settings.language)
    for question, name in zip((None, *study.settings.questions.further), names, strict=True):
        ratings = study.ratings(question)
        table = mean_opinion_scores.mos_table(ratings, systems)
        st.subheader(name)
        if not table["ratings"].sum():
            st.write("No grades yet.")
            continue
        style.picture(charts.means(table), "Means with 95 % intervals over raters and videos; 5 excellent, 1 bad")
        st.dataframe(table.drop(columns=["simulated"]).round(2), hide_index=True)
        gaps = mean_opinion_scores.differences(ratings, systems)
        printed = {column: gaps[column].map(printed_p) for column in ("p", "p_holm")}
        st.dataframe(gaps.assign(**printed).round(2), hide_index=True)
