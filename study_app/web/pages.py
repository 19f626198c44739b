"""The script that Streamlit runs for the people who run a study; raters' pages are `front.py`'s."""

from __future__ import annotations

import streamlit as st

from bench.errors import BenchError
from study_app.web.screens import admin, look
from study_app.web.serving import log, serving


def main() -> None:
    """Show the admin page; whatever goes wrong, the page is polite and the log says what to mend."""
    st.set_page_config(page_title="Study", layout="centered")
    look.apply()
    if "admin" not in st.query_params:
        look.page("Welcome", "Please open the link that you were given.")
        return
    try:
        admin.show(serving())
    except BenchError as error:
        log.error("%s", error)
        look.page(
            "We will be back soon", "The study cannot be reached at the moment. Please try again in a few minutes."
        )


main()
