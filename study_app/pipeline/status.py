"""Where a study stands, for people who run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study_app.store.store import Store


def status(where: str | Path | None, name: str | None) -> dict[str, Any]:
    """Progress by comparison and counts of raters. Outcomes are not part of it: nobody should steer by them."""
    study = Store(where).open(name)
    progress, raters = study.progress(), study.raters()
    return {
        "study": study.name,
        "state": study.state(),
        "simulated": study.simulated,
        "pilot": study.settings.pilot,
        "schedule_sha256": study.schedule_sha256(),
        "schedule_intact": study.schedule().sha256 == study.schedule_sha256(),
        "extended": len(study.extensions()),
        "wanted": int(progress["wanted"].sum()),
        "votes": int(progress["votes"].sum()),
        "comparisons": progress.drop(columns=["first", "second"]).to_dict("records"),
        "raters": len(raters),
        "completed": int(raters["completed"].notna().sum()),
        "excluded": int((raters["excluded"] != "").sum()),
        "erased": int((raters["erased"] != "").sum()),
        "declined": study.declined(),
        "ineligible": int((raters["status"] == "ineligible").sum()),
        "workload": study.settings.workload,
    }


def lines(standing: dict[str, Any]) -> list[str]:
    """The same for reading."""
    mark = " (simulated)" if standing["simulated"] else (" (pilot)" if standing["pilot"] else "")
    head = f"Study '{standing['study']}'{mark}"
    told = [
        f"{head}: {standing['votes']} of {standing['wanted']} votes, {standing['raters']} raters; {standing['state']}."
    ]
    told.append(f"{standing['completed']} raters have finished, {standing['excluded']} are excluded or have withdrawn.")
    if standing["declined"] or standing["erased"]:
        told.append(
            f"{standing['declined']} people did not agree to take part, {standing['erased']} raters were erased."
        )
    if standing["ineligible"]:
        told.append(f"{standing['ineligible']} may not take part by what they answered.")
    if not standing["schedule_intact"]:
        told.append("The schedule in the database is not the one this study was made with: restore it from a copy.")
    width = max(len(row["comparison"]) for row in standing["comparisons"])
    for row in standing["comparisons"]:
        told.append(f"  {row['comparison']:<{width}}  {row['votes']:>5} of {row['wanted']}, {row['leased']} on lease")
    return told
