"""The last pages, and the polite one when something is not as it should be."""

from __future__ import annotations

import html

import streamlit as st

from study_app.store.schema import Rater
from study_app.web.screens import look
from study_app.web.visit import Visit

LATER = "The study cannot be reached at the moment. Please try again in a few minutes; what you answered is kept."


def notice(title: str, text: str) -> None:
    """A title and a sentence."""
    look.page(title, text)


def done(here: Visit, rater: Rater) -> None:
    """Thanks, with the completion code, which exists only since the last vote was committed."""
    code = html.escape(rater.completion_code or "")
    extra = f'<p>Your completion code:</p><p class="code">{code}</p>'
    look.page("Thank you", "All your answers are saved.", extra=extra)
    with st.container(key="narrow"):
        if here.study.settings.completion_url:
            st.link_button("Back to where you came from", here.study.settings.completion_url, type="primary")
        if st.button("Withdraw my answers", type="tertiary"):
            st.session_state["confirm"] = True
        if st.session_state.get("confirm"):
            st.write("Then none of your answers is used in any result. This cannot be undone.")
            if st.button("Yes, withdraw"):
                here.study.withdraw(here.token)
                st.rerun()


def withdrawn() -> None:
    """After a withdrawal."""
    notice("You have withdrawn", "None of your answers is used in any result. Thank you for your time.")


def excluded() -> None:
    """Somebody who runs the study has ended this session."""
    notice(
        "Thank you for taking part",
        "This session has ended, and there is nothing left to do. If you think that this is a mistake, please tell the "
        "people who run the study.",
    )


def full() -> None:
    """Nothing is left to rate."""
    notice(
        "Thank you for coming",
        "All pairs have been rated or are being rated by others, so there is nothing left to do.",
    )


def broken() -> None:
    """The clips do not load in this browser."""
    notice(
        "The clips do not load here",
        "Several pairs could not be loaded, which is not your fault. Please try another browser or network with the "
        "same link later, or tell the people who run the study.",
    )
