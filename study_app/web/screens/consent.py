"""The first page: what taking part means, and the choice to do so."""

from __future__ import annotations

import streamlit as st

from study_app.web.screens import look
from study_app.web.visit import Visit


def show(here: Visit) -> None:
    """Show the study's consent text; consent is stored with its version and time before anything else is."""
    look.page("Taking part", here.study.settings.consent)
    with st.container(key="narrow"):
        agreed = st.checkbox("I have read this, I am 18 or older, and I agree to take part.")
        if st.button("Continue", type="primary", disabled=not agreed):
            here.study.enrol(here.token, here.visitor)
            st.session_state["instructions"] = True
            st.rerun()
