"""The web app: Streamlit pages (`pages.py`) and, beside them, the few addresses that the pair player calls.

Start it with `bench study serve`, or with `streamlit run study_app/app.py` and `BENCH_DATABASE_URL` set.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from study_app.web import api

app = st.App(
    Path(__file__).parent / "web" / "pages.py",
    routes=api.ROUTES,
    middleware=[Middleware(api.Headers)],
)
