"""The outcomes of a study on the admin page: scores, ranking, agreement, raters' quality, downloads."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.report.tables.paper_tables import paper
from bench.report.tables.printed_table import to_latex
from bench.statistics import printed_p
from study_app.analysis import mean_opinion_scores
from study_app.design.settings import StudySettings
from study_app.pipeline import export
from study_app.store.study import OpenStudy
from study_app.web.admin import charts, style

#: The statistics are computed anew at most this often, in seconds.
FRESH = 20


POS_CAPTION = "Thin: 95 % interval over raters and videos. Thick: exact interval, of votes taken as independent."


@st.cache_data(ttl=FRESH, show_spinner="Counting…")
def tallied(votes: pd.DataFrame, _settings: StudySettings) -> export.Results:
    """Scores, ranking and agreement of the votes, kept for `FRESH` seconds."""
    return export.results(votes, _settings)


def show_outcomes(outcomes: export.Results) -> None:
    """Scores with their intervals, strengths, agreement between raters."""
    st.header("Preference opinion scores")
    if outcomes.pos["votes"].sum() == 0:
        st.write("No votes yet.")
        return
    style.picture(charts.pos(outcomes.pos), POS_CAPTION)
    shown = outcomes.pos.drop(columns=["first", "second", "simulated"])
    printed = {name: shown[name].map(printed_p) for name in ("p", "p_holm", "exact_p")}
    st.dataframe(shown.assign(**printed).round(3), hide_index=True)
    if outcomes.ties is not None:
        st.caption("Ties are left out above. half: POS with each tie as half a vote for each.")
        st.dataframe(outcomes.ties.drop(columns=["first", "second"]).round(2), hide_index=True)
    st.header("Bradley–Terry strengths")
    style.picture(charts.strengths(outcomes.ranking), "With 95 % intervals over raters and clips")
    for note in outcomes.notes:
        st.caption(note)
    st.header("Agreement between raters")
    if outcomes.agreement["pairs"].max() > 0:
        st.dataframe(outcomes.agreement.round(3), hide_index=True)
    else:
        st.write("No pair has two votes yet, so agreement cannot be measured.")
    left, n, p = outcomes.side_bias
    st.write(f"Left was chosen in {left} of {n} trials (p {printed_p(p)} against one half, over raters).")
    if len(outcomes.metrics):
        st.header("Votes that each metric predicts")
        st.dataframe(outcomes.metrics.round(2), hide_index=True)
    if len(outcomes.set_metrics):
        st.dataframe(outcomes.set_metrics.round(2), hide_index=True)


def show_quality(study: OpenStudy, table: pd.DataFrame) -> None:
    """What is known of each rater's attention, and the form that excludes one."""
    st.header("Raters")
    if not len(table):
        st.write("No rater has voted yet.")
        return
    style.picture(charts.raters(table, study.settings), "A point a rater; dashed: the rule on catch trials")
    st.dataframe(table.round(2), hide_index=True)
    show_exclusion(study, table)


def show_exclusion(study: OpenStudy, table: pd.DataFrame) -> None:
    """A form that excludes one of the raters of a table."""
    open_ended = (table["excluded"] == "") | table["excluded"].str.startswith("unfinished")
    with st.expander("Exclude a rater"), st.form("exclude"):
        rater: str | None = st.selectbox("Rater", list(table.loc[open_ended, "rater"]))
        reason = st.text_input("Reason (kept for good)")
        if st.form_submit_button("Exclude"):
            if rater and reason.strip():
                study.exclude(rater, reason, "admin")
                st.rerun()
            st.error("Choose a rater and give a reason.")


def show_downloads(study: OpenStudy, votes: pd.DataFrame, tallies: export.Results) -> None:
    """Buttons for every table of a study, with the names and contents that `bench study export` writes."""
    files = export.outcomes(study, votes, tallies).files | {"screens.csv": export.screens_csv(study.screens())}
    if study.settings.questions.is_the_papers:
        tables = paper().preference_tables
        files |= {f"{name}.tex": to_latex(export.paper_table(name, tallies.pos)) for name in tables}
    download_buttons(files)


def download_buttons(files: dict[str, str]) -> None:
    """A button a file."""
    st.header("Downloads")
    with st.container(horizontal=True):
        for name, text in files.items():
            st.download_button(name, text, file_name=name, on_click="ignore")


def show_mean_opinion_scores(study: OpenStudy) -> None:
    """Each system's mean and their differences, question by question."""
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
