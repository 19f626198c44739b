"""Status of a study, for the people who run it."""

from __future__ import annotations

from typing import Any

from study_app.pipeline import flag_counts
from study_app.store.study import OpenStudy


def status(study: OpenStudy) -> dict[str, Any]:
    """Progress by comparison and counts of raters; outcomes are left out because they must not influence the study."""
    progress, raters, flagged = study.progress(), study.raters(), flag_counts.of_study(study)
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
        "counted": flagged.answers,
        "flags": flagged.flags,
        "declined": study.declined(),
        "ineligible": int((raters["status"] == "ineligible").sum()),
        "workload": study.settings.workload,
    }


def lines(standing: dict[str, Any]) -> list[str]:
    """The status as lines of text."""
    mark = " (simulated)" if standing["simulated"] else (" (pilot)" if standing["pilot"] else "")
    head = f"Study '{standing['study']}'{mark}"
    text = [
        f"{head}: {standing['votes']} of {standing['wanted']} votes, {standing['raters']} raters; {standing['state']}."
    ]
    text.append(f"{standing['completed']} raters have finished, {standing['excluded']} are excluded or have withdrawn.")
    if flagged := flag_counts.Flagged(standing["counted"], standing["flags"]).sentence():
        text.append(flagged)
    if standing["declined"] or standing["erased"]:
        text.append(f"{standing['declined']} people declined to take part, {standing['erased']} raters were erased.")
    if standing["ineligible"]:
        text.append(f"{standing['ineligible']} were not eligible based on their answers.")
    if not standing["schedule_intact"]:
        text.append(
            "The schedule in the database has changed since the study was created. Restore the database from a copy."
        )
    width = max(len(row["comparison"]) for row in standing["comparisons"])
    for row in standing["comparisons"]:
        text.append(f"  {row['comparison']:<{width}}  {row['votes']:>5} of {row['wanted']}, {row['leased']} on lease")
    return text
