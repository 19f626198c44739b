"""The header of the admin page: the study, its state, and its actions, each with a confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import streamlit as st

from bench.errors import BenchError
from study_app.store.audit_trail import STATES, Action, State
from study_app.store.study import OpenStudy

Colour = Literal["green", "orange", "gray"]
#: State → label, colour and icon.
SHOWN: dict[State, tuple[str, Colour, str]] = {
    "open": ("Open", "green", ":material/play_circle:"),
    "paused": ("Paused", "orange", ":material/pause_circle:"),
    "closed": ("Closed", "gray", ":material/stop_circle:"),
}


class Confirmation(NamedTuple):
    """A button in the header, and the confirmation it requires."""

    button: str
    question: str
    meaning: str
    confirm: str


ACTIONS: dict[Action, Confirmation] = {
    "reopen": Confirmation("Open again", "Open the study again?", "Raters can answer again.", "Open the study"),
    "pause": Confirmation(
        "Pause",
        "Pause the study?",
        "Raters see that the study is paused. Their answers are kept, and you can open it again.",
        "Pause the study",
    ),
    "close": Confirmation(
        "Close",
        "Close the study?",
        "The study accepts no more answers, and active raters see that it is closed. You can open it again.",
        "Close the study",
    ),
}


def head(study: OpenStudy, leave: Callable[[OpenStudy], None]) -> None:
    """Show name, state and controls; `leave` signs out."""
    now = study.state()
    name, colour, sign = SHOWN[now]
    title, controls = st.columns([3, 2], vertical_alignment="center")
    with title:
        st.title(study.settings.title or study.name)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(name, color=colour, icon=sign)
            if study.simulated:
                st.badge("Simulated raters, not people", color="violet")
            if study.settings.pilot:
                st.badge("Pilot: its votes do not count", color="violet")
            if study.settings.title:
                st.caption(study.name)
    with controls, st.container(horizontal=True, horizontal_alignment="right"):
        for action, asked in ACTIONS.items():
            if STATES[action] != now and st.button(asked.button, type="primary" if action == "reopen" else "secondary"):
                st.dialog(asked.question)(_confirm)(study, action)
        st.button("Sign out", on_click=leave, args=(study,), type="tertiary")


def _confirm(study: OpenStudy, action: Action) -> None:
    st.write(ACTIONS[action].meaning)
    reason = st.text_input("Reason, for the audit trail", key=f"reason to {action}")
    if st.button(ACTIONS[action].confirm, type="primary"):
        try:
            study.change(action, "admin", reason)
        except BenchError as error:  # another admin was quicker
            st.error(str(error))
            return
        st.rerun()


def erasure(study: OpenStudy) -> None:
    """Show the form that makes a rater anonymous at their request."""
    with st.expander("Erase a rater on request"), st.form("erase"):
        st.write(
            "This permanently deletes everything that could identify the rater. Pay them first, because you "
            f"cannot identify them afterwards. Their votes are {study.settings.erased_votes}."
        )
        rater = st.text_input("Rater, as in raters.csv")
        participant = st.text_input("Or the ID in their link")
        reason = st.text_input("Reason (kept permanently; must not name anybody)")
        if st.form_submit_button("Erase"):
            _confirm_erasure(study, rater.strip(), participant.strip(), reason)
    if done := st.session_state.pop("erased", None):
        st.success(f"Erased: {done}")


@st.dialog("Erase this rater?")
def _confirm_erasure(study: OpenStudy, rater: str, participant: str, reason: str) -> None:
    st.write(
        f"This deletes everything that could identify **{rater or participant or 'nobody'}**. You cannot undo this."
    )
    if st.button("Erase permanently", type="primary"):
        try:
            st.session_state["erased"] = study.erase(reason, "admin", rater=rater, participant=participant)
        except BenchError as error:
            st.error(str(error))
            return
        st.rerun()
