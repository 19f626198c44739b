"""Who is visiting: by the link's parameters, or by the cookie of an earlier visit; and what their browser is told."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from study_app.design.questions import LONGEST_ANSWER, PAIRS, PARTS, in_language
from study_app.design.settings import StudySettings
from study_app.locales import texts, words
from study_app.store.messages import NOT_AN_ANSWER, RefusedError, View
from study_app.store.participants import LONGEST_ID, PARAMETERS, Visitor
from study_app.store.study import OpenStudy
from study_app.web import localisation

#: Set for an app process that shows every page of a study, on a copy that is thrown away.
PREVIEW_VARIABLE = "BENCH_STUDY_PREVIEW"
#: What a browser may keep of a visit in its cookie.
TOKEN = re.compile(r"[\w-]{43}")
#: Texts that no page shows by themselves: parts of a consent text, and sentences that go out with a refusal.
NOT_READ = ("consent", "consent_questions", "consent_measured", "said")

#: What a platform, or a script of somebody's, leaves in a link whose placeholder it did not fill in: everybody who
#: follows it would be the same person.
UNFILLED = re.compile(r"[{}<>%$]|\[\[|\]\]|^(undefined|null|none|nan|your[_ -].*|n/a)$", re.IGNORECASE)


@dataclass(frozen=True)
class Visit:
    """A visit: the study, and the token that stands for the person.

    `visitor` is None for somebody whom no link names; their browser is to remember the token.
    """

    study: OpenStudy
    token: str
    visitor: Visitor | None
    language: str


def visitor(parameters: Mapping[str, str]) -> Visitor | None:
    """Read a link's parameters; None when it names nobody.

    Raises:
        RefusedError: the id is empty, too long or a placeholder that was not filled in, or MTurk shows a preview where
            work is not accepted yet; its words are for whoever followed the link.
    """
    if parameters.get("assignmentId") == "ASSIGNMENT_ID_NOT_AVAILABLE":
        raise RefusedError("This is a preview: please accept the task first.")
    for platform, (key, others) in PARAMETERS.items():
        if key not in parameters:
            continue
        participant = parameters[key].strip()
        session = "|".join(parameters.get(other, "") for other in others)
        unfilled = UNFILLED.search(participant) or "_ID_NOT_AVAILABLE" in participant
        if not participant or unfilled or len(participant) > LONGEST_ID or len(session) > 2 * LONGEST_ID:
            raise RefusedError("The link is not complete: please open it again from where you got it.")
        return Visitor(platform, participant, session)
    return None


def visit(study: OpenStudy, link: Mapping[str, str], kept: str, asked: str = "", accepted: str = "") -> Visit:
    """Identify a visit by its link's parameters, else by the token that the browser kept, else give it a new one.

    Args:
        asked: the language that somebody has just chosen; else a rater has the one that they had.
        accepted: the languages of their browser, as in `Accept-Language`.

    Raises:
        RefusedError: the link's ids make no sense.
        BenchError: there is no key to hash them with.
    """
    who = visitor(link)
    token = study.token_of(who) if who else (kept if TOKEN.fullmatch(kept) else "")
    known = study.rater(token) if token else None
    if not who and not known:
        token = secrets.token_urlsafe(32)
    had = known.language if known else None
    chosen = localisation.language(study.settings.languages, asked or had or "", accepted)
    if known and asked and chosen != had:
        study.speak(token, chosen)
    return Visit(study, token, who, chosen)


def page_data(here: Visit, view: View | None) -> dict[str, Any]:
    """All that a page needs: where the rater is (None before they consent), what is shown, and every word."""
    settings = here.study.settings
    questions, own = settings.questions, settings.words(here.language)
    read = words(here.language, questions.wording)
    asked = questions.asked(own.question, here.language)
    known = here.study.rater(here.token) if view else None
    return {
        "token": here.token,
        "keep": here.visitor is None,  # a crowd platform's link brings its people back by itself
        "language": here.language,
        "languages": {code: texts(code)["name"] for code in settings.languages},
        "texts": {page: text for page, text in read.items() if page not in NOT_READ},
        "agreed": known.consented_at.isoformat(timespec="seconds") if known and known.consented_at else None,
        "study": {
            "question": asked[0],
            "questions": asked,
            "clips": 2 if questions.kind == PAIRS else 1,
            "answers": questions.answers,
            "parts": {part: _asked(settings, part, here.language) for part in PARTS if questions.part(part)},
            "can_be_ineligible": any(question.eligible for question in questions.screening),
            "consent": own.consent,
            "consent_html": localisation.consent_html(own),
            "consent_version": own.consent_version,
            "contact": settings.contact,
            "ethics": settings.ethics,
            "card": settings.calibration == "card",
            "distance": settings.distance_cm,
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


def _asked(settings: StudySettings, part: str, language: str) -> list[dict[str, Any]]:
    """The questions of a part as a page needs them: not how to answer so that one may take part."""
    return [
        {
            "id": question.id,
            "text": in_language(question.text, language),
            "type": question.type,
            "choices": [{"id": choice.id, "text": in_language(choice.text, language)} for choice in question.choices],
            "minimum": question.minimum,
            "maximum": question.maximum,
            "longest": LONGEST_ANSWER,
            "pattern": question.pattern,
            "optional": question.optional,
        }
        for question in settings.questions.part(part)
    ]


def examples(study: OpenStudy, part: str) -> dict[str, str]:
    """Answers to a part for a preview, in which every page is to be seen without filling in the ones before."""
    if PREVIEW_VARIABLE not in os.environ:
        raise RefusedError(NOT_AN_ANSWER)
    return {question.id: question.example() for question in study.settings.questions.part(part)}


def ending(study: OpenStudy, token: str) -> dict[str, str]:
    """The code for how a session has ended, and where to go with it; empty while it goes on.

    The address holds the code for a complete session on most platforms, so who has failed is not led there.
    """
    last, rater = study.ending(token), study.rater(token)
    code = last.code if last else (rater.completion_code if rater else None)
    complete = rater is not None and rater.completed_at is not None and (last is None or last.outcome == "complete")
    return {"code": code or "", "url": study.settings.completion_url if complete else ""}
