"""Mean grades of a study of single clips, on the page of the people who run it."""

from __future__ import annotations

import streamlit as st

from bench.statistics import printed_p
from study_app.analysis import grades
from study_app.store.study import OpenStudy
from study_app.web.screens import charts, look


def show(study: OpenStudy) -> None:
    """Each system's mean and their differences, question by question."""
    systems = [name for name, _ in study.settings.comparisons]
    st.header("Mean opinion scores")
    names = study.settings.questions.asked(study.settings.question, study.settings.language)
    for question, name in zip((None, *study.settings.questions.further), names, strict=True):
        ratings = study.ratings(question)
        table = grades.mos_table(ratings, systems)
        st.subheader(name)
        if not table["ratings"].sum():
            st.write("No grades yet.")
            continue
        look.picture(charts.means(table), "Means with 95 % intervals over raters and videos; 5 excellent, 1 bad")
        st.dataframe(table.drop(columns=["simulated"]).round(2), hide_index=True)
        gaps = grades.differences(ratings, systems)
        printed = {column: gaps[column].map(printed_p) for column in ("p", "p_holm")}
        st.dataframe(gaps.assign(**printed).round(2), hide_index=True)
