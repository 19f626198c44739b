"""Identifies visitors by their link's parameters or an earlier visit's cookie, and collects their page's data."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from study_app.design.questions import (
    COMPREHENSION,
    COMPREHENSION_ANSWERS,
    LONGEST_ANSWER,
    PAIRS,
    PARTS,
    in_language,
)
from study_app.design.settings import LINKS, StudySettings
from study_app.locales import texts, words
from study_app.store.messages import NOT_AN_ANSWER, RefusedError, View
from study_app.store.participants import KEY, LONGEST_ID, OTHER, PARAMETERS, Visitor, token_hash
from study_app.store.schema.rater_tables import Rater
from study_app.store.study import OpenStudy
from study_app.web import localisation

#: Set for an app process that shows every page of a study, on a temporary copy.
PREVIEW_VARIABLE = "BENCH_STUDY_PREVIEW"
#: Form of the value that a browser may keep in its visit cookie.
TOKEN = re.compile(r"[\w-]{43}")
#: Texts that no page shows on their own: parts of a consent text, and sentences sent with a refusal.
NOT_READ = ("consent", "said")

#: What remains in a link if a platform or a script did not fill in a placeholder. All visitors with such a link would
#: be the same person.
UNFILLED = re.compile(r"[{}<>%$]|\[\[|\]\]|^(undefined|null|none|nan|your[_ -].*|n/a)$", re.IGNORECASE)


#: Messages to a visitor whose link identifies no participant, or whose link is not theirs.
INCOMPLETE = "The link is not complete: please open it again from where you got it."
ELSEWHERE = (
    "This session was begun in another browser: please continue there, or open the link again from where you got it."
)


#: Message to a visitor whose browser does not have the session's cookie.
NOT_THIS_BROWSER = (
    "The session cannot continue here: please open your link again with cookies allowed, or use the browser in "
    "which you began."
)
#: Name of the cookie for visitors whose link identifies no participant.
PASS = "visit"


@dataclass(frozen=True)
class Visit:
    """A visit: the study, and the token that represents the person.

    `visitor` is None if the link identifies no participant. The browser must then keep the cookie `PASS`, whose value
    is `kept`.
    """

    study: OpenStudy
    token: str
    visitor: Visitor | None
    language: str
    known: Rater | None
    kept: str = ""


def visitor(parameters: Mapping[str, str], parameter: str = "") -> Visitor | None:
    """Read a link's parameters, whose names may be in any case; None if they identify no participant.

    Args:
        parameters: the link's parameters.
        parameter: the study's own parameter, which identifies a participant as a platform's does.

    Raises:
        RefusedError: the ID is missing although other parameters of its platform are present; it is empty, too long or
            an unfilled placeholder; or MTurk shows a preview before the work is accepted. The message is for the
            visitor.
    """
    given = {name.lower(): value for name, value in parameters.items()}
    if given.get("assignmentid") == "ASSIGNMENT_ID_NOT_AVAILABLE":
        raise RefusedError("This is a preview: please accept the task first.")
    own = {OTHER: (parameter, ())} if parameter else {}
    for platform, (key, others) in {**own, **PARAMETERS}.items():
        if not {key.lower(), *(other.lower() for other in others)} & given.keys():
            continue
        participant = given.get(key.lower(), "").strip()
        session = "|".join(given.get(other.lower(), "") for other in others)
        unfilled = UNFILLED.search(participant) or "_ID_NOT_AVAILABLE" in participant
        if not participant or unfilled or len(participant) > LONGEST_ID or len(session) > 2 * LONGEST_ID:
            raise RefusedError(INCOMPLETE)
        return Visitor(platform, participant, session, given.get(KEY, "").strip() if platform == "lab" else "")
    return None


def visit(
    study: OpenStudy,
    link: Mapping[str, str],
    token: str,
    cookies: Mapping[str, str],
    asked: str = "",
    accepted: str = "",
) -> Visit:
    """Identify a visit by its link's parameters, else by the browser's cookie, else give it a new token.

    Args:
        token: sent by the browser; used only for raters of version 0.2, whose browsers stored it.
        cookies: the browser's cookies.
        asked: the language that the visitor has just chosen; by default, the one that the rater had.
        accepted: the languages of their browser, as in `Accept-Language`.

    Raises:
        RefusedError: the link's IDs are not valid, it is not signed, or it belongs to a rater who began in another
            browser.
        BenchError: there is no key for hashing the IDs.
    """
    who = visitor(link, study.settings.link_parameter)
    if who and who.platform == "lab" and not study.is_signed(who):
        raise RefusedError(INCOMPLETE)
    kept = "" if who else _pass(study, token, cookies)
    token = study.token_of(who) if who else (token_of(kept) if kept else token)
    known = study.rater(token)
    if known and not (_proves(study, who, known) or may_act(study, known, token, cookies)):
        raise RefusedError(ELSEWHERE)
    if not known and study.settings.entry == LINKS and not (who and who.platform == "lab"):
        raise RefusedError(INCOMPLETE)
    had = known.language if known else None
    chosen = localisation.language(study.settings.languages, asked or had or "", accepted)
    if known and asked and chosen != had:
        study.speak(token, chosen)
    return Visit(study, token, who, chosen, known, kept)


def token_of(kept: str) -> str:
    """Token of a visitor whose link identifies no participant, derived one-way from their cookie."""
    return base64.urlsafe_b64encode(hashlib.sha256(kept.encode()).digest()).decode().rstrip("=")


def _pass(study: OpenStudy, token: str, cookies: Mapping[str, str]) -> str:
    """The cookie of a visitor whose link identifies no participant, or a new one; empty for a rater of version 0.2."""
    had = cookies.get(PASS, "")
    had = had if TOKEN.fullmatch(had) else ""
    if had and study.rater(token_of(had)):
        return had
    if TOKEN.fullmatch(token) and (known := study.rater(token)) and known.platform_hash is None:
        return ""
    return had or secrets.token_urlsafe(32)


def _proves(study: OpenStudy, who: Visitor | None, known: Rater) -> bool:
    """Whether a link proves that the visitor is the rater who began: it is signed, or of the same visit."""
    return who is not None and (who.platform == "lab" or study.is_same_visit(known, who))


def may_act(study: OpenStudy, known: Rater, token: str, cookies: Mapping[str, str]) -> bool:
    """Whether a browser may act for a rater: they agreed in it, or opened their link in it.

    The token alone is not proof, because scripts and tools of a browser can read it. For raters of version 0.2, it
    suffices.
    """
    if known.draw is None:
        return True
    if known.platform_hash is None:
        return hmac.compare_digest(token_of(cookies.get(PASS, "")).encode(), token.encode())
    kept = cookies.get(cookie_of(token), "").encode()
    return any(hmac.compare_digest(kept, key.encode()) for key in (study.owner_key(token), study.guest_key(token)))


def is_owner(study: OpenStudy, known: Rater, token: str, cookies: Mapping[str, str]) -> bool:
    """Whether a browser is the one in which a rater agreed to take part."""
    if known.platform_hash is None:
        return may_act(study, known, token, cookies)
    return hmac.compare_digest(cookies.get(cookie_of(token), "").encode(), study.owner_key(token).encode())


def cookie_of(token: str) -> str:
    """Name of the cookie for a rater whom a link identifies; several raters may share one browser."""
    return f"owner_{token_hash(token)[:8]}"


def page_data(here: Visit, view: View | None) -> dict[str, Any]:
    """All that a page needs: the rater's view (None before they consent), what is shown, and every text.

    If a link identifies a participant, the token is sent only once they have agreed. Knowing the ID earlier is not
    enough to get it.
    """
    settings = here.study.settings
    questions, own = settings.questions, settings.words(here.language)
    read = words(here.language, questions.wording)
    asked = questions.asked(own.question, here.language)
    known = here.known
    return {
        "token": here.token if known or here.visitor is None else "",
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
            "comprehension": _comprehension(read, asked[0]) if settings.comprehension else [],
            "can_be_ineligible": settings.comprehension or any(one.eligible for one in questions.screening),
            "consent": own.consent,
            "consent_html": localisation.consent_html(own),
            "consent_version": own.consent_version,
            "title": settings.title,
            "lab": settings.lab,
            "age": settings.minimum_age,
            "contact": settings.contact,
            "ethics": settings.ethics,
            "card": settings.calibration == "card",
            "distance": settings.distance_cm,
            "frames": settings.frames,
            "size": settings.size,
            "width": settings.width or settings.size,
            "rate": settings.rate,
            "practice": settings.practice,
            "total": settings.practice + settings.workload + settings.catch,
        },
        "preview": PREVIEW_VARIABLE in os.environ,
        "mark": "preview" if PREVIEW_VARIABLE in os.environ else ("pilot" if settings.pilot else ""),
        "view": asdict(view) if view else None,
    }


def _asked(settings: StudySettings, part: str, language: str) -> list[dict[str, Any]]:
    """The questions of a part as a page needs them, without the answers that make a rater eligible."""
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


def _comprehension(read: Mapping[str, Any], asked: str) -> list[dict[str, Any]]:
    """The questions on the instructions, in the form of `_asked`; the right choices are not included."""
    return [
        {
            "id": id,
            "text": words["text"],
            "type": "choice",
            "choices": [
                {"id": key, "text": said.replace("{question}", asked)} for key, said in words["choices"].items()
            ],
            "optional": False,
        }
        for id, words in read["comprehension"]["questions"].items()
    ]


def examples(study: OpenStudy, part: str) -> dict[str, str]:
    """Example answers to a part, so that a preview can show every page without filling in earlier ones."""
    if PREVIEW_VARIABLE not in os.environ:
        raise RefusedError(NOT_AN_ANSWER)
    if part == COMPREHENSION:
        return dict(COMPREHENSION_ANSWERS)
    return {question.id: question.example() for question in study.settings.questions.part(part)}


def ending(study: OpenStudy, token: str, link: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, Any]:
    """The code for how a session ended, and the address to continue to; empty while the session continues.

    On most platforms, the address contains the code for a complete session, so raters who failed are not sent there.
    The code is shown only in the browser in which the rater agreed, or on the same visit from a platform. In another
    browser, `elsewhere` is true. Visitors who have not agreed get the study's own code for why they cannot take part.
    """
    rater = study.rater(token)
    if rater is None:
        return {"code": _before_consent(study), "url": "", "elsewhere": False}
    who = visitor(link, study.settings.link_parameter)
    same = (
        who is not None and who.platform != "lab" and study.token_of(who) == token and study.is_same_visit(rater, who)
    )
    if not same and not is_owner(study, rater, token, cookies):
        return {"code": "", "url": "", "elsewhere": True}
    last = study.ending(token)
    code = last.code if last else rater.completion_code
    complete = rater.completed_at is not None and (last is None or last.outcome == "complete")
    return {"code": code or "", "url": study.settings.completion_url if complete else "", "elsewhere": False}


def _before_consent(study: OpenStudy) -> str:
    """The study's own code for a visitor who arrives when it is closed or has no pair left."""
    state = study.state()
    if state == "closed":
        return study.settings.closed_code
    return study.settings.full_code if state == "open" and study.room() == "full" else ""


def may_withdraw(study: OpenStudy, token: str, link: Mapping[str, str], cookies: Mapping[str, str], code: str) -> bool:
    """Whether a rater's answers may be removed: from their own browser or visit, or with their code."""
    rater = study.rater(token)
    if rater is None or not ending(study, token, link, cookies)["elsewhere"]:
        return True
    given = code.strip().upper().encode()
    return any(hmac.compare_digest(given, known.upper().encode()) for known in study.codes(token))
