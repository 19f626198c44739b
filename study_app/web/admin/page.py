"""The page of the people who run the study: progress, outcomes, raters, downloads."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from study_app.analysis import rater_quality
from study_app.design.questions import SCALE
from study_app.pipeline import export
from study_app.store.audit_trail import STATES, Action
from study_app.store.study import OpenStudy
from study_app.web.admin import charts, login, monitor, outcomes, style


def show(study: OpenStudy) -> None:
    """Show everything that is not an outcome; outcomes when quotas are met, or asked for."""
    st.button("Sign out", on_click=login.leave, args=(study,), type="tertiary")
    st.title(study.name)
    if study.simulated:
        st.warning("Simulated raters, not people.")
    if study.settings.pilot:
        st.warning("A pilot: its votes do not count for the study.")
    progress, raters, graded = study.progress(), study.raters(), study.settings.questions.kind == SCALE
    _life(study)
    _progress(study)
    monitor.show(study)
    _payment(raters)
    _erase(study)
    met = bool((progress["votes"] >= progress["wanted"]).all())
    if not met:
        st.info("Outcomes stay hidden until every comparison has its votes: nobody should stop a study by its result.")
        if not st.toggle("Show outcomes all the same (this is recorded)"):
            outcomes.show_quality(
                study, rater_quality.rater_table(study.votes())
            ) if not graded else outcomes.show_exclusion(study, raters)
            return
        if not st.session_state.get("looked"):
            study.audit("admin", "looked at outcomes early", f"{progress['votes'].sum()} votes")
            st.session_state["looked"] = True
    if graded:
        outcomes.show_mean_opinion_scores(study)
        outcomes.show_exclusion(study, raters)
        outcomes.download_buttons(export.outcomes(study).files)
        return
    votes = study.votes()
    results = outcomes.tallied(votes, study.settings)
    outcomes.show_outcomes(results)
    outcomes.show_quality(study, results.raters)
    outcomes.show_downloads(study, votes, results)


@st.fragment(run_every=monitor.EVERY)
def _progress(study: OpenStudy) -> None:
    """How far the study is; drawn anew by itself, so that it says the same as the monitor below it."""
    settings, progress, raters = study.settings, study.progress(), study.raters()
    votes, wanted = int(progress["votes"].sum()), int(progress["wanted"].sum())
    cells = st.columns(4)
    cells[0].metric("Votes", f"{votes} of {wanted}")
    cells[1].metric("Raters", len(raters))
    cells[2].metric("Finished", int(raters["completed"].notna().sum()))
    cells[3].metric("Excluded", int((raters["excluded"] != "").sum()))
    style.picture(charts.progress(progress), "Votes had (dark) of votes wanted")
    if skips := int(progress["skips"].sum()):
        st.caption(f"{skips} pairs did not load in a rater's browser and went to others.")
    if declined := study.declined():
        st.caption(f"{declined} people did not agree to take part.")
    st.caption(f"Each rater: {settings.practice} practice, {settings.workload} trials, {settings.catch} catch trials.")


def _life(study: OpenStudy) -> None:
    """What can be done to a running study."""
    now = study.state()
    actions: dict[Action, str] = {"pause": "Pause", "close": "Close", "reopen": "Open again"}
    with st.expander(f"The study is {now}", expanded=now != "open"):  # what lets raters wait is in sight
        reason = st.text_input("Why (kept in the audit trail)", key="life")
        with st.container(horizontal=True):
            for action, name in actions.items():
                if STATES[action] != now and st.button(name):
                    study.change(action, "admin", reason)
                    st.rerun()


def _payment(raters: pd.DataFrame) -> None:
    """Who is to be paid for what; it tells nothing of what anybody chose."""
    with st.expander("Sessions and codes, for paying raters"):
        st.dataframe(raters.drop(columns=["platform_hash", "session_hash", "consent"]), hide_index=True)
        st.download_button("raters.csv", export.raters_csv(raters), file_name="raters.csv", on_click="ignore")


def _erase(study: OpenStudy) -> None:
    """Make a rater anonymous who has asked for it."""
    with st.expander("Erase a rater who has asked for it"), st.form("erase", clear_on_submit=True):
        st.write(
            "All that could point to them goes, for good. Pay them first: nobody can tell afterwards who it was. Their "
            f"votes are {study.settings.erased_votes}."
        )
        rater = st.text_input("Rater, as in raters.csv")
        participant = st.text_input("Or the id that their link had")
        reason = st.text_input("Reason (kept for good; name nobody)")
        if st.form_submit_button("Erase"):
            try:
                st.success(
                    f"Erased: {study.erase(reason, 'admin', rater=rater.strip(), participant=participant.strip())}"
                )
            except BenchError as error:
                st.error(str(error))
