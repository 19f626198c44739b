"""Answers to questions before and after the trials: which are due, and how they are stored and counted.

Runs inside the store's sessions. A part is open until each of its questions has a stored answer, which is empty for an
optional question that was left out. So no rater is asked twice, and a part that was sent twice is stored once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.design.questions import COMPREHENSION, COMPREHENSION_ANSWERS, PARTS, TRIES, Question
from study_app.store.messages import NOT_AN_ANSWER, RefusedError
from study_app.store.raters import excluded_reason
from study_app.store.schema.rater_tables import Ending, Rater, Reply
from study_app.store.schema.study_tables import Study

#: Frozen column names of `answers.csv` (one line per answer) and of the table that counts are made from.
ANSWER_COLUMNS = ["study", "rater", "part", "question", "answer", "time_utc", "simulated", "excluded"]
BEFORE, AFTER = PARTS[:2], PARTS[2:]
#: Stored result of an attempt at the questions on the instructions with all answers right.
RIGHT = "right"


def due(session: Session, study: Study, rater: Rater, parts: tuple[str, ...]) -> str | None:
    """The first of `parts` in which a rater has not answered every question."""
    asked = [part for part in parts if study.settings.questions.part(part)]
    if not asked:
        return None
    answered = set(session.scalars(select(Reply.question).where(Reply.rater_id == rater.id)))
    for part in asked:
        if any(question.id not in answered for question in study.settings.questions.part(part)):
            return part
    return None


def comprehension_is_due(session: Session, study: Study, rater: Rater) -> bool:
    """Whether a rater still has to answer the questions on the instructions."""
    if not study.settings.comprehension:
        return False
    return RIGHT not in _tries(session, rater)


def keep_comprehension(
    session: Session, study: Study, rater: Rater, answers: Mapping[str, str], part: str, now: datetime
) -> bool:
    """Write one attempt at the questions on the instructions; return whether the rater may continue or try again.

    Raises:
        RefusedError: a question is not answered.
    """
    given = {id: answers.get(id, "") for id in COMPREHENSION_ANSWERS}
    if not all(given.values()):
        raise RefusedError(NOT_AN_ANSWER)
    number = 1 + len(_tries(session, rater))
    verdict = RIGHT if given == COMPREHENSION_ANSWERS else "wrong"
    # stored under the part that decides who takes part
    session.add(Reply(rater_id=rater.id, question=f"{part}_{number}", part=BEFORE[0], answer=verdict, replied_at=now))
    session.flush()
    return verdict == RIGHT or number < TRIES


def _tries(session: Session, rater: Rater) -> list[str]:
    tries = Reply.question.in_([f"{COMPREHENSION}_{number}" for number in range(1, TRIES + 1)])
    return list(session.scalars(select(Reply.answer).where(Reply.rater_id == rater.id, tries)))


def is_ineligible(session: Session, study: Study, rater: Rater) -> bool:
    """Whether a rater may not take part because of their answers."""
    decides = any(question.eligible for question in study.settings.questions.screening)
    if not (decides or study.settings.comprehension):
        return False
    ended = select(Ending.id).where(Ending.rater_id == rater.id, Ending.outcome == "ineligible")
    return session.scalar(ended) is not None


def keep(session: Session, study: Study, rater: Rater, answers: Mapping[str, str], part: str, now: datetime) -> bool:
    """Write the answers to a part; return whether a rater with these answers may take part.

    Raises:
        RefusedError: a required question is not answered, or an answer is not valid.
    """
    questions = study.settings.questions.part(part)
    given = {question.id: answers.get(question.id, "").strip() for question in questions}
    if not all(question.is_answer(given[question.id]) for question in questions):
        raise RefusedError(NOT_AN_ANSWER)
    kept = set(session.scalars(select(Reply.question).where(Reply.rater_id == rater.id)))
    session.add_all(
        Reply(rater_id=rater.id, question=id, part=part, answer=answer, replied_at=now)
        for id, answer in given.items()
        if id not in kept
    )
    session.flush()
    return all(question.admits(given[question.id]) for question in questions)


def answers(session: Session, study: Study) -> pd.DataFrame:
    """All answers as `ANSWER_COLUMNS`, rater by rater; with the reason for excluded raters."""
    query = (
        select(Rater, Reply, excluded_reason())
        .join(Reply, Reply.rater_id == Rater.id)
        .where(Rater.study_id == study.id, Rater.simulated == study.simulated)
    )
    order = {question.id: place for place, question in enumerate(_every(study))}
    given = sorted(session.execute(query), key=lambda row: (row[0].id, order.get(row[1].question, len(order))))
    rows = []
    for rater, reply, excluded in given:
        asked = [study.name, rater.token_hash[:16], reply.part, reply.question]
        rows.append([*asked, reply.answer, reply.replied_at, rater.simulated, excluded])
    return pd.DataFrame(rows, columns=ANSWER_COLUMNS)


def _every(study: Study) -> list[Question]:
    return [question for part in PARTS for question in study.settings.questions.part(part)]
