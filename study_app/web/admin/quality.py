"""Rater data for several views of the admin page: the quality of their votes, and their pay."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from study_app.analysis import rater_quality
from study_app.design.questions import SCALE
from study_app.store.study import OpenStudy

#: Minimum time between two computations of quality, in seconds.
FRESH = 20


def quality(study: OpenStudy) -> pd.DataFrame:
    """Measures of each rater's attention; empty if clips are graded one by one."""
    return _quality(study, study.name) if study.settings.questions.kind != SCALE else pd.DataFrame()


@st.cache_data(ttl=FRESH, show_spinner=False)
def _quality(_study: OpenStudy, name: str) -> pd.DataFrame:
    return rater_quality.rater_table(_study.votes())


def forget() -> None:
    """Discard the cached quality because votes were removed."""
    _quality.clear()


def reward(study: OpenStudy) -> float:
    """Reward of one rater: as entered here, else the first number in the consent text's statement of pay; 0 if none."""
    stated = re.search(r"\d+(?:[.,]\d+)?", study.settings.pay)
    return float(st.session_state.get("paid", stated[0].replace(",", ".") if stated else 0.0))
