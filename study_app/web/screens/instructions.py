"""The second page: what to do."""

from __future__ import annotations

import html

import streamlit as st

from study_app.web.screens import look
from study_app.web.screens.rating import remember
from study_app.web.visit import Visit

HOW = """
<ol>
<li>Two short clips of the same scene play side by side.</li>
<li>When both have played once, answer: <b>{question}</b></li>
<li>Press <kbd>←</kbd> for the left clip or <kbd>→</kbd> for the right one, or use the buttons below the clips. They go
on playing until you choose. If you cannot decide, follow your first impression.</li>
</ol>
<p>The first pairs are there to get used to it. Please sit comfortably, keep this window in front, and set your screen
to its usual brightness. There are about {total} pairs; you can close the page and come back to where you were.</p>
"""


def show(here: Visit) -> None:
    """Show the instructions until the rater begins."""
    settings = here.study.settings
    total = settings.workload + settings.practice + settings.catch
    look.page("How it works", "", extra=HOW.format(question=html.escape(settings.question), total=total))
    with st.container(key="narrow"):
        if st.button("Begin", type="primary"):
            st.session_state["instructions"] = False
            st.rerun()
    if here.visitor is None:  # a crowd platform's link brings its people back by itself
        remember(key="remember", data={"token": here.token})
