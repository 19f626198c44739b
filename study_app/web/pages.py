"""The script that Streamlit runs for each visit: who is it, where are they, which page do they see."""

from __future__ import annotations

import streamlit as st

from bench.errors import BenchError
from study_app.store.rating import RefusedError
from study_app.web.screens import admin, consent, ending, instructions, leave, look, rating
from study_app.web.serving import log, serving
from study_app.web.visit import Visit, visit


def rater_page(here: Visit) -> None:
    """One of the rater's pages."""
    rater = here.rater()
    if rater is None:
        consent.show(here)
    elif rater.withdrawn_at:
        ending.withdrawn(here)
    elif st.session_state.get("ended") in ("full", "broken", "excluded"):
        getattr(ending, st.session_state["ended"])(here)
    elif rater.completed_at:
        ending.done(here, rater)
    elif st.session_state.get("leaving"):
        leave.show(here)
    elif st.session_state.get("instructions"):
        instructions.show(here)
    else:
        rating.show(here)


def main() -> None:
    """Route a visit; whatever goes wrong, a rater sees a polite page and the log says what to mend."""
    wants_admin = "admin" in st.query_params
    st.set_page_config(page_title="Study", layout="wide" if not wants_admin else "centered")
    look.apply()
    try:
        study = serving()
        if wants_admin:
            admin.show(study)
            return
        rater_page(visit(study))
    except RefusedError as refusal:
        ending.notice("Welcome", str(refusal))
    except BenchError as error:
        log.error("%s", error)
        ending.notice("We will be back soon", ending.LATER)


main()
