"""Who is visiting: by the link's parameters, or by the cookie of an earlier visit; and what their browser is told."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from study_app.design.questions import LONGEST, PAIRS, PARTS, said
from study_app.design.settings import Settings
from study_app.store.platforms import Visitor, visitor
from study_app.store.rating import RefusedError, View
from study_app.store.study import OpenStudy
from study_app.texts import words

#: Set for an app process that shows every page of a study, on a copy that is thrown away.
PREVIEW_VARIABLE = "BENCH_STUDY_PREVIEW"
#: What a browser may keep of a visit in its cookie.
TOKEN = re.compile(r"[\w-]{43}")


@dataclass(frozen=True)
class Visit:
    """A visit: the study, and the token that stands for the person.

    `visitor` is None for somebody whom no link names; their browser is to remember the token.
    """

    study: OpenStudy
    token: str
    visitor: Visitor | None


def visit(study: OpenStudy, link: Mapping[str, str], kept: str) -> Visit:
    """Identify a visit by its link's parameters, else by the token that the browser kept, else give it a new one.

    Raises:
        RefusedError: the link's ids make no sense.
        BenchError: there is no key to hash them with.
    """
    who = visitor(link)
    if who:
        return Visit(study, study.token_of(who), who)
    known = TOKEN.fullmatch(kept) and study.rater(kept)
    return Visit(study, kept if known else secrets.token_urlsafe(32), None)


def told(here: Visit, view: View | None) -> dict[str, Any]:
    """All that a page needs: where the rater is (None before they consent), what is shown, and every word."""
    settings = here.study.settings
    questions, texts = settings.questions, words(settings.language, settings.questions.wording)
    asked = questions.asked(settings.question, settings.language)
    return {
        "token": here.token,
        "keep": here.visitor is None,  # a crowd platform's link brings its people back by itself
        "language": settings.language,
        "texts": {page: text for page, text in texts.items() if page not in ("consent", "consent_questions", "said")},
        "study": {
            "question": asked[0],
            "questions": asked,
            "clips": 2 if questions.kind == PAIRS else 1,
            "answers": questions.answers,
            "parts": {part: _asked(settings, part) for part in PARTS if questions.part(part)},
            "can_be_ineligible": any(question.eligible for question in questions.screening),
            "consent": settings.consent,
            "consent_version": settings.consent_version,
            "frames": settings.frames,
            "size": settings.size,
            "rate": settings.rate,
            "practice": settings.practice,
            "total": settings.practice + settings.workload + settings.catch,
            "minutes": settings.minutes,
        },
        "preview": PREVIEW_VARIABLE in os.environ,
        "mark": "preview" if PREVIEW_VARIABLE in os.environ else ("pilot" if settings.pilot else ""),
        "view": asdict(view) if view else None,
    }


def _asked(settings: Settings, part: str) -> list[dict[str, Any]]:
    """The questions of a part as a page needs them: not how to answer so that one may take part."""
    language = settings.language
    return [
        {
            "id": question.id,
            "text": said(question.text, language),
            "type": question.type,
            "choices": [{"id": choice.id, "text": said(choice.text, language)} for choice in question.choices],
            "minimum": question.minimum,
            "maximum": question.maximum,
            "longest": LONGEST,
            "optional": question.optional,
        }
        for question in settings.questions.part(part)
    ]


def examples(study: OpenStudy, part: str) -> dict[str, str]:
    """Answers to a part for a preview, in which every page is to be seen without filling in the ones before."""
    if PREVIEW_VARIABLE not in os.environ:
        raise RefusedError("The answer is not one that can be given.")
    return {question.id: question.example() for question in study.settings.questions.part(part)}


def ending(study: OpenStudy, token: str) -> dict[str, str]:
    """The code for how a session has ended, and where to go with it; empty while it goes on.

    The address holds the code for a complete session on most platforms, so who has failed is not led there.
    """
    last, rater = study.ending(token), study.rater(token)
    code = last.code if last else (rater.completion_code if rater else None)
    complete = rater is not None and rater.completed_at is not None and (last is None or last.outcome == "complete")
    return {"code": code or "", "url": study.settings.completion_url if complete else ""}
