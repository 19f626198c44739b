"""The address that raters open, to copy and as a QR code."""

from __future__ import annotations

from urllib.parse import urlsplit

import segno
import streamlit as st

#: Query string of each platform, with its placeholders for a rater's IDs.
PLATFORMS = {
    "Everybody": "",
    "Prolific": "?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
    "MTurk": "?workerId=${workerId}&assignmentId=${assignmentId}&hitId=${hitId}",
}


def show() -> None:
    """Show the link and its QR code; the address can be changed if a proxy has another one."""
    here = urlsplit(st.context.url or "http://127.0.0.1:8501")
    address = st.text_input("Address of the study, as raters reach it", f"{here.scheme}://{here.netloc}/")
    platform = st.segmented_control("For", list(PLATFORMS), default="Everybody", required=True)
    link = address.strip().rstrip("/") + "/" + PLATFORMS[platform]
    st.code(link, language=None, wrap_lines=True)
    if not link.startswith("https://"):
        st.warning("Without https, answers travel unencrypted, and phones warn about the page.")
    if platform != "Everybody":
        st.caption("Paste this into the platform, which fills in the participants' IDs.")
        return
    code = segno.make(link, micro=False)
    picture = code.svg_data_uri(scale=5, border=4, dark="#000000", light="#ffffff")
    style = "width:220px;max-width:100%;border-radius:6px"
    st.html(f'<img alt="QR code of the link" style="{style}" src="{picture}">')
    st.download_button(
        "Download the QR code", code.svg_inline(scale=10, border=4), file_name="study-link.svg",
        mime="image/svg+xml", on_click="ignore",
    )  # fmt: skip
