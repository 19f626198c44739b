"""The page with the pair of clips. All that happens on it, the player does; see `player/player.js`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from study_app.web.visit import Visit

_FILES = Path(__file__).parents[1] / "player"
player = st.components.v2.component(
    "pair",
    html=(_FILES / "player.html").read_text(encoding="utf-8"),
    css=(_FILES / "player.css").read_text(encoding="utf-8"),
    js=(_FILES / "player.js").read_text(encoding="utf-8"),
)
remember = st.components.v2.component("remember", js=(_FILES / "remember.js").read_text(encoding="utf-8"))


def show(here: Visit) -> None:
    """Mount the player; when it has come to an end, say so to the session and show what comes then."""
    settings = here.study.settings
    shown = {
        "token": here.token,
        "question": settings.question,
        "frames": settings.frames,
        "size": settings.size,
        "rate": settings.rate,
    }
    ended = player(key="player", data=shown, on_finished_change=lambda: None).get("finished")
    if ended:
        st.session_state["ended"] = ended
        st.rerun()
    if here.visitor is None:  # a crowd platform's link brings its people back by itself
        remember(key="remember", data={"token": here.token})
    with st.container(key="foot", horizontal_alignment="center"):
        if st.button("Stop or withdraw", type="tertiary"):
            st.session_state["leaving"] = True
            st.rerun()
