"""The web app: the rater's page and the addresses that it calls, and Streamlit's page of who runs the study.

Start it with `bench study serve`, or with `streamlit run study_app/web/app.py` and `BENCH_DATABASE_URL` set.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from study_app.web import middleware, rater_api

app = st.App(
    Path(__file__).parent / "admin" / "main.py",
    routes=[*rater_api.ROUTES, *middleware.ROUTES],
    middleware=[Middleware(middleware.Front)],
)
