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


def _with_code(here: Visit, title: str, text: str) -> None:
    """A title, a sentence, and the code for how the session has ended."""
    told = here.study.ending(here.token)
    code = f'<p>Your code:</p><p class="code">{html.escape(told.code)}</p>' if told else ""
    look.page(title, text, extra=code)


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


def withdrawn(here: Visit) -> None:
    """After a withdrawal."""
    _with_code(here, "You have withdrawn", "None of your answers is used in any result. Thank you for your time.")


def excluded(here: Visit) -> None:
    """Somebody who runs the study has ended this session."""
    _with_code(
        here,
        "Thank you for taking part",
        "This session has ended, and there is nothing left to do. If you think that this is a mistake, please tell the "
        "people who run the study.",
    )


def full(here: Visit) -> None:
    """Nothing is left to rate."""
    notice(
        "Thank you for coming",
        "All pairs have been rated or are being rated by others, so there is nothing left to do.",
    )


def broken(here: Visit) -> None:
    """The clips do not load in this browser at the moment; a new start is always possible."""
    _with_code(
        here,
        "The clips do not load here",
        "Several pairs could not be loaded, which is not your fault. What you answered is kept. Please try again, "
        "perhaps with another browser or network and the same link; or send the code to the people who run the study.",
    )
    with st.container(key="narrow"):
        if st.button("Try again", type="primary"):
            del st.session_state["ended"]
            st.rerun()
