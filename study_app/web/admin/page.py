"""The page for the people who run the study: its state at the top, and one of several views below."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from bench.errors import BenchError
from study_app.design.questions import SCALE
from study_app.store.study import OpenStudy
from study_app.web.admin import controls, exports, links, outcomes, overview, raters

OVERVIEW, RATERS, OUTCOMES, LINK, EXPORT, LOG = "Overview", "Raters", "Outcomes", "Link", "Export", "Log"
VIEWS = (OVERVIEW, RATERS, OUTCOMES, LINK, EXPORT, LOG)


def show(study: OpenStudy, leave: Callable[[OpenStudy], None]) -> None:
    """Show the study's header and the selected view; `leave` signs out."""
    controls.head(study, leave)
    view = st.segmented_control("View", VIEWS, default=OVERVIEW, required=True, label_visibility="collapsed")
    if view == OVERVIEW:
        overview.show(study)
    elif view == RATERS:
        raters.show(study)
        controls.erasure(study)
    elif view == OUTCOMES:
        _outcomes(study)
    elif view == LINK:
        links.show()
    elif view == EXPORT:
        exports.show(study, _is_met(study))
    else:
        overview.show_log(study)


def _is_met(study: OpenStudy) -> bool:
    progress = study.progress()
    return bool((progress["votes"] >= progress["wanted"]).all())


def _outcomes(study: OpenStudy) -> None:
    """Show outcomes when all votes are in, or on request, which is recorded."""
    if not _is_met(study):
        st.info(
            "Outcomes stay hidden until every comparison has its votes, so that nobody stops a study because of "
            "its results."
        )
        if not st.toggle("Show outcomes anyway (this is recorded)"):
            return
        if not st.session_state.get("looked"):
            study.audit("admin", "looked at outcomes early", f"{study.progress()['votes'].sum()} votes")
            st.session_state["looked"] = True
    if study.settings.questions.kind == SCALE:
        outcomes.show_mean_opinion_scores(study)
        return
    try:
        results = outcomes.tallied(study.votes(), study.settings)
    except BenchError as error:
        st.error(str(error))
        return
    outcomes.show_outcomes(results, partial(overview.comparison_title, study))
