"""The page of the people who run the study: progress, outcomes, raters, downloads."""

from __future__ import annotations

import json
import os

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.report.grid import to_latex
from bench.report.paper import paper
from bench.runfolder import POS, STUDY_RESULTS, VOTES
from bench.statistics import printed_p
from study_app.analysis import export, quality
from study_app.design.questions import SCALE
from study_app.design.settings import Settings
from study_app.store.life import STATES, Action
from study_app.store.study import OpenStudy
from study_app.web.screens import charts, door, look, means, monitor
from study_app.web.serve import PASSWORD_VARIABLE

#: The statistics are computed anew at most this often, in seconds.
FRESH = 20
POS_CAPTION = "Thin: 95 % interval over raters and videos. Thick: exact interval, of votes taken as independent."


def show(study: OpenStudy) -> None:
    """Ask for the password, then show everything that is not an outcome; outcomes when quotas are met, or asked for."""
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        look.page("Shut", f"The admin page opens when the app is started with {PASSWORD_VARIABLE} set.")
        return
    if not door.is_open(study, password):
        return
    st.button("Sign out", on_click=door.leave, type="tertiary")
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
            _quality(study, quality.rater_table(study.votes())) if not graded else _exclude(study, raters)
            return
        if not st.session_state.get("looked"):
            study.audit("admin", "looked at outcomes early", f"{progress['votes'].sum()} votes")
            st.session_state["looked"] = True
    if graded:
        means.show(study)
        _exclude(study, raters)
        _download(export.outcomes(study))
        return
    votes = study.votes()
    outcomes = _results(votes, study.settings)
    _outcomes(outcomes)
    _quality(study, outcomes.raters)
    _downloads(study, votes, outcomes)


@st.cache_data(ttl=FRESH, show_spinner="Counting…")
def _results(votes: pd.DataFrame, _settings: Settings) -> export.Results:
    return export.results(votes, _settings)


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
    look.picture(charts.progress(progress), "Votes had (dark) of votes wanted")
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


def _outcomes(outcomes: export.Results) -> None:
    st.header("Preference opinion scores")
    if outcomes.pos["votes"].sum() == 0:
        st.write("No votes yet.")
        return
    look.picture(charts.pos(outcomes.pos), POS_CAPTION)
    shown = outcomes.pos.drop(columns=["first", "second", "simulated"])
    printed = {name: shown[name].map(printed_p) for name in ("p", "p_holm", "exact_p")}
    st.dataframe(shown.assign(**printed).round(3), hide_index=True)
    if outcomes.ties is not None:
        st.caption("Ties are left out above. half: POS with each tie as half a vote for each.")
        st.dataframe(outcomes.ties.drop(columns=["first", "second"]).round(2), hide_index=True)
    st.header("Bradley–Terry strengths")
    look.picture(charts.strengths(outcomes.ranking), "With 95 % intervals over raters and clips")
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


def _quality(study: OpenStudy, table: pd.DataFrame) -> None:
    st.header("Raters")
    if not len(table):
        st.write("No rater has voted yet.")
        return
    look.picture(charts.raters(table, study.settings), "A point a rater; dashed: the rule on catch trials")
    st.dataframe(table.round(2), hide_index=True)
    _exclude(study, table)


def _exclude(study: OpenStudy, table: pd.DataFrame) -> None:
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


def _downloads(study: OpenStudy, votes: pd.DataFrame, outcomes: export.Results) -> None:
    if not study.settings.questions.is_the_papers:
        _download(export.outcomes(study) | {"screens.csv": export.screens_csv(study.screens())})
        return
    files = {
        VOTES: export.votes_csv(votes),
        POS: export.pos_csv(outcomes.pos),
        "screens.csv": export.screens_csv(study.screens()),
        **{f"{name}.tex": to_latex(export.paper_table(name, outcomes.pos)) for name in paper().preference_tables},
        STUDY_RESULTS: json.dumps(export.as_json(study.row, study.settings, outcomes), indent=2),
    }
    _download(files)


def _download(files: dict[str, str]) -> None:
    st.header("Downloads")
    with st.container(horizontal=True):
        for name, text in files.items():
            st.download_button(name, text, file_name=name, on_click="ignore")
