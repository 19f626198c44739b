"""The script that Streamlit runs for the people who run a study; `middleware` serves the raters' pages."""

from __future__ import annotations

import streamlit as st

from bench.errors import BenchError
from study_app.web.admin import login, style
from study_app.web.served_study import log, serving


def main() -> None:
    """Show the admin page; if something fails, the page stays polite and the log explains what to fix."""
    st.set_page_config(page_title="Study", layout="wide")
    style.apply()
    if "admin" not in st.query_params:
        style.page("There is nothing here", "Please open the link that you were given.")
        return
    try:
        study = serving()
        if login.is_open(study):
            from study_app.web.admin import page  # loads PyTorch, so not before sign-in

            page.show(study, login.leave)
    except BenchError as error:
        log.error("%s", error)
        style.page(
            "We will be back soon", "The study cannot be reached at the moment. Please try again in a few minutes."
        )


main()
