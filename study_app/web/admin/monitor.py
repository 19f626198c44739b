"""A study while it runs: who is there, who left and where, what did not load. It shows itself anew and no outcomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from study_app.analysis import questionnaire
from study_app.pipeline.csv_files import csv
from study_app.store.monitor import ACTIVE
from study_app.store.study import OpenStudy
from study_app.web.admin import charts, style

#: How often the page looks again, in seconds.
EVERY = 10


@st.fragment(run_every=EVERY)
def show(study: OpenStudy) -> None:
    """The monitor; a part of the page that is drawn anew by itself."""
    seen = study.watch()
    states = seen.raters["state"]
    st.header("Now")
    cells = st.columns(4)
    cells[0].metric("Active", int((states == "active").sum()))
    cells[1].metric("Complete", int((states == "complete").sum()))
    cells[2].metric("Left", int((states == "left").sum()))
    cells[3].metric("Ended otherwise", int((~states.isin(["active", "complete", "left"])).sum()))
    minutes = int(ACTIVE.total_seconds() // 60)
    st.caption(
        f"Active: heard of in the last {minutes} minutes. Left: not, and not at an end. "
        f"{datetime.now(UTC):%H:%M:%S} UTC, anew every {EVERY} seconds."
    )
    if len(seen.votes):
        wanted = len(study.schedule().slots)
        style.picture(
            charts.votes_over_time(seen.votes_over_time(), wanted),
            "Answers of any kind by the end of each quarter of an hour, UTC; dashed: votes wanted",
        )
    if len(left := seen.left_after()):
        style.picture(charts.left_after(left), "Where raters have left")
    if len(counts := questionnaire.counts(study.answers(), study.settings)):
        given = questionnaire.answers_table(study.answers())
        _table("Questions before and after", counts, "questions.csv")
        st.download_button("answers.csv", csv(given), file_name="answers.csv", on_click="ignore")
    _table("Pairs that did not load", seen.skips, "skips.csv")
    _table("Raters one by one", seen.raters, "activity.csv")
    _table("What was done to the study", seen.audit, "audit.csv")


def _table(title: str, table: pd.DataFrame, file: str) -> None:
    """A table to open, and to take away."""
    with st.expander(f"{title} ({len(table)})"):
        if len(table):
            st.dataframe(table, hide_index=True)
            st.download_button(file, csv(table), file_name=file, on_click="ignore")
        else:
            st.write("None so far.")
