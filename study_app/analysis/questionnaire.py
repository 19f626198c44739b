"""What leaves a study of its questions before and after the trials: the answers, and a dictionary of what was asked."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from study_app.design.questions import PARTS, Question, said
from study_app.design.settings import Settings

#: Frozen column names of `answers_dictionary.csv`, a line a question.
DICTIONARY_COLUMNS = ["part", "question", "type", "optional", "text", "answers", "eligible"]


def answers_table(answers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """`answers.csv`: as the store has them, times as text.

    What people wrote freely must not become a formula where a spreadsheet opens it: such a text begins with '.
    """
    free = {question.id for part in PARTS for question in settings.questions.part(part) if question.type == "text"}
    shown = [
        f"'{answer}" if question in free and answer[:1] in tuple("=+-@\t\r") and answer else answer
        for question, answer in zip(answers["question"], answers["answer"], strict=True)
    ]
    times = [time.isoformat(timespec="seconds") for time in answers["time_utc"]]
    return answers.assign(answer=shown, time_utc=times)


def dictionary(settings: Settings) -> pd.DataFrame:
    """What each question asks and how it can be answered, as `DICTIONARY_COLUMNS`, in the study's language."""
    rows = [
        [
            part,
            question.id,
            question.type,
            "yes" if question.optional else "no",
            said(question.text, settings.language),
            _answers(question, settings.language),
            _eligible(question),
        ]
        for part in PARTS
        for question in settings.questions.part(part)
    ]
    return pd.DataFrame(rows, columns=DICTIONARY_COLUMNS)


def _answers(question: Question, language: str) -> str:
    if question.type == "choice":
        return "; ".join(f"{choice.id} = {said(choice.text, language)}" for choice in question.choices)
    if question.type == "text":
        return "any text"
    ends = [
        f"{word} {end:g}" for word, end in (("from", question.minimum), ("to", question.maximum)) if end is not None
    ]
    return " ".join(["number", *ends])


def _eligible(question: Question) -> str:
    if not question.eligible:
        return ""
    if question.type == "number":
        low, high = question.eligible
        return f"from {float(low):g} to {float(high):g}"
    return "; ".join(str(one) for one in question.eligible)


#: Column names of the counts of answers.
COUNT_COLUMNS = ["part", "question", "answered", "left_out", "answers"]


def counts(answers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """How often each question was answered and how, as `COUNT_COLUMNS`; of texts only how many there are."""
    rows = []
    for part in PARTS:
        for question in settings.questions.part(part):
            mine = answers.loc[answers["question"] == question.id, "answer"]
            rest = mine[mine != ""]
            rows.append([part, question.id, len(rest), len(mine) - len(rest), _spread(question, list(rest))])
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def _spread(question: Question, given: list[str]) -> str:
    if question.type == "choice":
        had = Counter(given)
        return ", ".join(f"{choice.id} {had[choice.id]}" for choice in question.choices)
    if question.type == "number" and given:
        numbers = pd.Series([float(one) for one in given])
        return f"median {numbers.median():g}, from {numbers.min():g} to {numbers.max():g}"
    return ""
