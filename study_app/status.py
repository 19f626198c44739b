"""Where a study stands, for people who run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study_app.store.store import Store


def status(where: str | Path | None, name: str | None) -> dict[str, Any]:
    """Progress by comparison and counts of raters. Outcomes are not part of it: nobody should steer by them."""
    store = Store(where)
    study, settings = store.study(name)
    progress, raters = store.progress(study), store.raters(study)
    return {
        "study": study.name,
        "simulated": study.simulated,
        "schedule_sha256": study.schedule_sha256,
        "schedule_intact": store.schedule(study).sha256 == study.schedule_sha256,
        "wanted": int(progress["wanted"].sum()),
        "votes": int(progress["votes"].sum()),
        "comparisons": progress.drop(columns=["first", "second"]).to_dict("records"),
        "raters": len(raters),
        "completed": int(raters["completed"].notna().sum()),
        "excluded": int((raters["excluded"] != "").sum()),
        "workload": settings.workload,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for reading."""
    head = f"Study '{found['study']}'" + (" (simulated)" if found["simulated"] else "")
    told = [f"{head}: {found['votes']} of {found['wanted']} votes, {found['raters']} raters."]
    told.append(f"{found['completed']} raters have finished, {found['excluded']} are excluded or have withdrawn.")
    if not found["schedule_intact"]:
        told.append("The schedule in the database is not the one this study was made with: restore it from a copy.")
    width = max(len(row["comparison"]) for row in found["comparisons"])
    for row in found["comparisons"]:
        told.append(f"  {row['comparison']:<{width}}  {row['votes']:>5} of {row['wanted']}, {row['leased']} on lease")
    return told
