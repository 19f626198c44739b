"""Counts of flagged answers among those that count, shown with every tally."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from study_app.design.flags import FLAGS
from study_app.design.questions import SCALE
from study_app.store.study import OpenStudy


@dataclass(frozen=True)
class Flagged:
    """Counted answers, without practice and catch trials, and the count of each flag that occurs."""

    answers: int
    flags: dict[str, int]

    def sentence(self) -> str:
        """The counts in one sentence; empty if no answer is flagged."""
        if not self.flags:
            return ""
        counts = ", ".join(f"{count} {flag}" for flag, count in self.flags.items())
        return f"Flagged among {self.answers} counted answers: {counts}."


def of_answers(answers: pd.DataFrame) -> Flagged:
    """Count flags in a table of votes or grades from `study_app.store.tidy_tables`."""
    counted = answers[(answers["excluded"] == "") & ~answers["catch"] & ~answers["practice"]]
    raised = counted["flags"].astype(str).str.split().explode().value_counts()
    return Flagged(len(counted), {flag: int(raised[flag]) for flag in FLAGS if flag in raised.index})


def of_study(study: OpenStudy) -> Flagged:
    """Count flags in a study, for the first question of each trial."""
    return of_answers(study.ratings() if study.settings.questions.kind == SCALE else study.votes())
