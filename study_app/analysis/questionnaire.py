"""Exports of the questions before and after the trials: the answers, and a dictionary of the questions."""

from __future__ import annotations

import pandas as pd

from study_app.design.questions import PARTS, in_language
from study_app.design.settings import StudySettings

#: Frozen column names of `answers_dictionary.csv`; one row per question.
DICTIONARY_COLUMNS = ["part", "question", "type", "optional", "text", "answers", "eligible"]
#: Column names of the counts of answers.
COUNT_COLUMNS = ["part", "question", "answered", "left_out", "answers"]


def answers_table(answers: pd.DataFrame) -> pd.DataFrame:
    """Table for `answers.csv`: the stored answers, with times as text."""
    times = [time.isoformat(timespec="seconds") for time in answers["time_utc"]]
    return answers.assign(time_utc=times)


def dictionary(settings: StudySettings) -> pd.DataFrame:
    """Text and possible answers of each question, as `DICTIONARY_COLUMNS`, in the study's language."""
    rows = [
        [
            part,
            question.id,
            question.type,
            "yes" if question.optional else "no",
            in_language(question.text, settings.language),
            question.describe(settings.language),
            question.describe_eligible(),
        ]
        for part in PARTS
        for question in settings.questions.part(part)
    ]
    return pd.DataFrame(rows, columns=DICTIONARY_COLUMNS)


def counts(answers: pd.DataFrame, settings: StudySettings) -> pd.DataFrame:
    """Counts of answers to each question, as `COUNT_COLUMNS`; for free texts, only their number."""
    rows = []
    for part in PARTS:
        for question in settings.questions.part(part):
            replies = answers.loc[answers["question"] == question.id, "answer"]
            given = replies[replies != ""]
            rows.append([part, question.id, len(given), len(replies) - len(given), question.summary(list(given))])
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)
