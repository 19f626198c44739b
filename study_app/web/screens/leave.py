"""Stopping early: come back later, or withdraw."""

from __future__ import annotations

import streamlit as st

from study_app.web.screens import look
from study_app.web.visit import Visit

TEXT = """\
You can simply close this page: what you answered so far is kept, and the same link brings you back to where you were.

You can also withdraw. Then none of your answers is used in any result. This cannot be undone."""


def show(here: Visit) -> None:
    """Offer both, and the way back."""
    look.page("Stop or withdraw", TEXT)
    with st.container(key="narrow", horizontal=True):
        if st.button("Go on with the study", type="primary"):
            st.session_state["leaving"] = False
            st.rerun()
        if st.button("Withdraw my answers"):
            here.study.withdraw(here.token)
            st.session_state["leaving"] = False
            st.rerun()
