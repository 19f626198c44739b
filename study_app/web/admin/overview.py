"""A study at a glance: figures, alerts, progress and votes over time, refreshed automatically; no outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from study_app.analysis import questionnaire
from study_app.pipeline.health import Health, health
from study_app.store.monitor import ACTIVE
from study_app.store.study import OpenStudy
from study_app.web.admin import charts, style
from study_app.web.admin.quality import quality, reward

#: Time between two refreshes of the page, in seconds.
EVERY = 10


@st.fragment(run_every=EVERY)
def show(study: OpenStudy) -> None:
    """Show the overview, a part of the page that refreshes automatically."""
    now, seen, progress = datetime.now(UTC), study.watch(), study.progress()
    state = health(study, quality(study), now)
    share = state.votes / max(1, state.wanted)
    st.progress(min(1.0, share), f"{state.votes} of {state.wanted} votes ({share:.0%})")
    style.tiles(_figures(state, now, reward(study)))
    for alert in state.alerts:
        st.warning(alert, icon=":material/warning:")
    minutes = int(ACTIVE.total_seconds() // 60)
    st.caption(
        f"Active: seen in the last {minutes} minutes. Dropped out: not seen since, and not finished. "
        f"{now:%H:%M:%S} UTC, updated every {EVERY} seconds."
    )
    progress_column, time_column = st.columns(2, gap="large")
    with progress_column:
        st.header("Progress")
        style.bars(_bars(study, progress))
        settings = study.settings
        each = f"{settings.practice} practice pairs, {settings.workload} trials and {settings.catch} catch trials"
        st.caption(f"Each rater has {each}.")
    with time_column:
        st.header("Votes over time")
        if len(seen.votes):
            svg = charts.votes_over_time(seen.votes_over_time(now), state.wanted)
            style.picture(svg, "Votes that count, up to now, UTC. Dashed: votes wanted.")
        else:
            st.write("No votes yet.")
    if len(left := seen.left_after()):
        st.header("Where raters dropped out")
        style.picture(charts.left_after(left), "Raters who dropped out, by number of answers given.")


def _figures(state: Health, now: datetime, paid: float) -> list[tuple[str, str, str]]:
    ends = state.remaining and now + state.remaining
    done = state.votes >= state.wanted
    shown = "all votes are in" if done else _clock(ends, now) if ends else "–"
    hourly = state.pay_per_hour(paid) if paid else None
    return [
        ("Active now", str(state.active), f"{state.leased} pairs on lease"),
        ("Finished", str(state.finished), ""),
        ("Failed checks", str(state.failed), "failed or excluded"),
        ("Dropped out", str(state.left), f"{state.withdrawn} withdrew" if state.withdrawn else ""),
        ("Turned away", str(state.turned_away), ""),
        ("Expected end", shown, "" if ends or done else "no votes in the last 2 hours"),
        ("Median duration", f"{state.minutes:.1f} min" if state.minutes else "–", ""),
        ("Pay per hour", f"{hourly:.2f}" if hourly else "–", "" if paid else "set the reward under Raters"),
    ]


def _clock(end: datetime, now: datetime) -> str:
    return f"{end:%H:%M} UTC" if end - now < timedelta(hours=20) else f"{end:%d %b}"


def _bars(study: OpenStudy, progress: pd.DataFrame) -> list[tuple[str, int, int, str]]:
    return [
        (
            comparison_title(study, str(row["first"]), str(row["second"])),
            int(row["votes"]),
            int(row["wanted"]),
            f", {row['leased']} on lease" if row["leased"] else "",
        )
        for row in progress.to_dict("records")
    ]


def comparison_title(study: OpenStudy, first: str, second: str) -> str:
    """A comparison by its methods' display names; for a method shown alone, its own display name."""
    shown = study.settings.title_of(first)
    return shown if second == "alone" else f"{shown} over {study.settings.title_of(second)}"


def show_log(study: OpenStudy) -> None:
    """Show what did not load, what raters answered about themselves, and what was done to the study."""
    seen = study.watch()
    st.header(f"Pairs that did not load ({int(seen.skips['pairs'].sum())})")
    _table(seen.skips)
    if len(seen.failing):
        st.write("Pairs that several raters could not load:")
        _table(seen.failing)
    if len(counts := questionnaire.counts(study.answers(), study.settings)):
        st.header("Questions before and after")
        _table(counts)
    st.header("Audit trail")
    _table(seen.audit)


def _table(table: pd.DataFrame) -> None:
    if len(table):
        st.dataframe(table, hide_index=True)
    else:
        st.write("None so far.")
