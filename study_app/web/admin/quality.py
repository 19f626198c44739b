"""What several views of the admin page need of raters: the quality of their votes, and what they are paid."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from study_app.analysis import rater_quality
from study_app.design.questions import SCALE
from study_app.store.study import OpenStudy

#: Quality is computed anew at most this often, in seconds.
FRESH = 20


def quality(study: OpenStudy) -> pd.DataFrame:
    """What is known of each rater's attention; empty where clips are graded one by one."""
    return _quality(study, study.name) if study.settings.questions.kind != SCALE else pd.DataFrame()


@st.cache_data(ttl=FRESH, show_spinner=False)
def _quality(_study: OpenStudy, name: str) -> pd.DataFrame:
    return rater_quality.rater_table(_study.votes())


def forget() -> None:
    """Compute quality anew at the next call, because votes were taken out."""
    _quality.clear()


def reward(study: OpenStudy) -> float:
    """What one rater gets: as it was typed here, else the first number of what the consent text says; 0 if none."""
    stated = re.search(r"\d+(?:[.,]\d+)?", study.settings.pay)
    return float(st.session_state.get("paid", stated[0].replace(",", ".") if stated else 0.0))
