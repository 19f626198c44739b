"""How many of the answers that count are flagged, for everybody who reads a tally."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from study_app.design.flags import FLAGS
from study_app.design.questions import SCALE
from study_app.store.study import OpenStudy


@dataclass(frozen=True)
class Flagged:
    """Answers that count, practice and catch trials aside, and how many of them have each flag that any has."""

    answers: int
    flags: dict[str, int]

    def sentence(self) -> str:
        """The same in one sentence; empty where none is flagged."""
        if not self.flags:
            return ""
        counts = ", ".join(f"{count} {flag}" for flag, count in self.flags.items())
        return f"Flagged among {self.answers} counted answers: {counts}."


def of_answers(answers: pd.DataFrame) -> Flagged:
    """Of votes or grades as `study_app.store.tidy_tables` has them."""
    counted = answers[(answers["excluded"] == "") & ~answers["catch"] & ~answers["practice"]]
    raised = counted["flags"].astype(str).str.split().explode().value_counts()
    return Flagged(len(counted), {flag: int(raised[flag]) for flag in FLAGS if flag in raised.index})


def of_study(study: OpenStudy) -> Flagged:
    """Of a study, on the first question of each trial."""
    return of_answers(study.ratings() if study.settings.questions.kind == SCALE else study.votes())
