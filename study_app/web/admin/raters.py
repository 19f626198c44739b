"""Raters on the admin page: a table for filtering, excluding and paying raters."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from study_app.store.study import OpenStudy
from study_app.web.admin import charts, style
from study_app.web.admin.quality import forget, quality, reward

STATES = {
    "active": "Active", "left": "Dropped out", "complete": "Finished", "failed": "Failed checks",
    "excluded": "Excluded", "technical": "Clips did not load", "withdrawn": "Withdrawn",
    "ineligible": "Not eligible", "full": "Nothing left", "closed": "Study closed", "erased": "Erased",
}  # fmt: skip
#: Share of flagged votes, in percent, from which the filter treats a rater as flagged.
FLAGGED = 10
COLUMNS = {
    "rater": st.column_config.TextColumn("Rater", pinned=True, width="small"),
    "state": st.column_config.TextColumn("State", width="small"),
    "answers": st.column_config.NumberColumn("Answers"),
    "minutes": st.column_config.NumberColumn("Minutes", format="%.1f"),
    "catch": st.column_config.TextColumn("Catch trials"),
    "flagged": st.column_config.NumberColumn("Flagged", format="%.0f %%"),
    "seconds": st.column_config.NumberColumn("Median time", format="%.1f s"),
    "left": st.column_config.NumberColumn("Chose left", format="%.0f %%"),
    "excluded": st.column_config.TextColumn("Why excluded", width="medium"),
    "code": st.column_config.TextColumn("Code"),
    "language": st.column_config.TextColumn("Language", width="small"),
    "started": st.column_config.DatetimeColumn("Started (UTC)", format="D MMM, HH:mm"),
}


def table(study: OpenStudy) -> pd.DataFrame:
    """One row per rater, as `COLUMNS`."""
    raters = study.raters().set_index("rater")
    raters["state"] = study.watch().raters.set_index("rater")["state"].map(STATES)
    raters["started"] = pd.to_datetime(raters["started"], utc=True).dt.tz_localize(None)
    known = quality(study)
    if len(known):
        known = known.set_index("rater")
        raters["catch"] = known["catch_right"].astype(str) + " of " + known["catch_had"].astype(str)
        raters["seconds"] = known["median_ms"] / 1000
        raters = raters.join(known[["flagged", "left"]])
    return raters.reset_index().reindex(columns=list(COLUMNS))


def show(study: OpenStudy) -> None:
    """Show the page of raters."""
    raters = table(study)
    if not len(raters):
        st.write("No raters yet.")
        return
    shown = _filtered(raters)
    chosen = st.dataframe(
        shown, hide_index=True, column_config=COLUMNS, on_select="rerun", selection_mode="multi-row", key="raters"
    )
    rows = [int(row) for row in chosen["selection"]["rows"] if row < len(shown)]
    names = list(shown["rater"].iloc[rows])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(f"Exclude selected ({len(names)})", disabled=not names):
            _confirm(study, names)
        st.session_state["paid"] = st.number_input(
            "Reward per rater, to compute the pay per hour", 0.0, value=reward(study), step=0.5, width=300
        )
    st.caption(f"{len(shown)} of {len(raters)} raters. To exclude raters, select rows on the left.")
    known = quality(study)
    if len(known):
        svg = charts.raters(known, study.settings)
        style.picture(svg, "One point per rater. Dashed: the catch-trial rule.")


def _filtered(raters: pd.DataFrame) -> pd.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        present = [state for state in STATES.values() if (raters["state"] == state).any()]
        states = st.multiselect("State", present, placeholder="All", width=320)
        text = st.text_input("Rater or code", width=220)
        flagged = st.toggle(f"Flagged in {FLAGGED} % of votes or more", width="content")
    keep = pd.Series(True, raters.index)
    if states:
        keep &= raters["state"].isin(states)
    if text.strip():
        both = raters["rater"].astype(str) + " " + raters["code"].astype(str)
        keep &= both.str.contains(text.strip(), case=False, regex=False)
    if flagged:
        keep &= raters["flagged"].fillna(0).astype(float) >= FLAGGED
    return raters[keep].reset_index(drop=True)


@st.dialog("Exclude raters?")
def _confirm(study: OpenStudy, names: list[str]) -> None:
    st.write(
        f"The votes of {len(names)} raters are removed from all results, and other raters get their pairs. This "
        "is recorded and cannot be undone."
    )
    st.code("\n".join(names), language=None)
    reason = st.text_input("Reason (kept permanently)")
    if st.button("Exclude", type="primary", disabled=not reason.strip()):
        for name in names:
            study.exclude(name, reason, "admin")
        forget()
        st.rerun()
