"""The web app: the rater's page with the endpoints that it calls, and Streamlit's page for those who run the study.

Start it with `bench study serve`. `streamlit run study_app/web/app.py` with `BENCH_DATABASE_URL` set serves it too, but
without the caps and time-outs of `study_app.web.connections`.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from study_app.web import admin_session, middleware, rater_api

app = st.App(
    Path(__file__).parent / "admin" / "main.py",
    routes=[*rater_api.ROUTES, *admin_session.ROUTES, *middleware.ROUTES],
    middleware=[Middleware(middleware.Front)],
)
