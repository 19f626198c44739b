"""Settings that a study keeps as they were requested, and the values that they can have."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from study_app.design.questions import THE_PAPERS, Questions
from study_app.locales import ENGLISH

#: Number of the rules that a study follows: trials, sides, who counts. Versions before 0.2 had others.
RULE = 3
#: Of a quick rater: from the end of a pair's first play to the next pair, and to read consent and instructions.
SECONDS_TO_CHOOSE, SECONDS_TO_READ = 1.2, 30.0
#: For each further question about a pair, and for a question before or after the pairs.
SECONDS_TO_ANSWER, SECONDS_TO_FILL_IN = 1.5, 6.0
#: Settings that hold a code of how a session has ended.
CODES = (
    "completion_code", "failed_code", "technical_code", "withdrawn_code", "ineligible_code", "full_code", "closed_code",
    "declined_code",
)  # fmt: skip
#: A code that a spreadsheet reads as a number and so changes.
NUMBER_LIKE = re.compile(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?")
#: Who may come: everybody, or only those who have a signed link.
ENTRIES = OPEN, LINKS = ("open", "links")
#: Trials and catch trials of one rater by default.
WORKLOAD, CATCH = 50, 10
#: What can become of votes whose rater is erased.
ERASED_VOTES = KEPT, LEFT_OUT = ("kept", "left out")
#: Shapes of the bounds of planned looks, and how many looks there are at most.
LOOK_SHAPES = OBRIEN_FLEMING, POCOCK = ("obrien-fleming", "pocock")
MOST_LOOKS = 20
#: How the sides of a rater's trials are drawn, see `trial_order`; studies of 0.2 balance each session.
SIDES = BIG_STICK, BALANCED = ("big stick", "balanced")
#: What a consent text is written in, and how raters can measure their screens.
FORMATS = PLAIN, MARKDOWN = ("text", "markdown")
CALIBRATIONS = ("none", "card")


@dataclass(frozen=True)
class StudyTexts:
    """What a study itself says to raters, in one language; a version is the hash of the consent text."""

    language: str
    question: str = ""
    consent: str = ""
    consent_version: str = ""
    consent_format: str = FORMATS[0]


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """Settings that a study keeps as they were requested; the defaults are those of `bench study create`.

    Attributes:
        name: of the study, unique in its database.
        clips: scenes per comparison.
        votes: votes wanted per pair.
        practice: practice trials of one rater.
        rate: frames a second.
        lease_minutes: an assignment left alone this long goes back to the pool.
        language: of all that raters read, a file of `study_app.locales`.
        question: of each trial; empty in a request: the language's own.
        consent: as raters read it; empty in a request: the language's own. In a request, `{minutes}` is a session's
            length, and `{lab}`, `{purpose}`, `{pay}`, `{retention}` and `{age}` are what the settings say.
        consent_format: text, or markdown.
        translations: question and consent in further languages, of which a rater's browser, or the rater, chooses one.
        completion_code: shown at the end; empty: each rater gets one of their own.
        failed_code, technical_code, withdrawn_code: the same for who failed the catch trials or was excluded, for whose
            clips did not load, and for who has withdrawn; so that anyone who pays can tell these apart.
        ineligible_code: for who may not take part by the screening questions.
        full_code, closed_code: for who has agreed to take part and finds no pair left, or the study closed.
        declined_code: for who does not agree; empty: none, as nothing is known of them.
        link_parameter: the parameter of a link that names a participant, of a platform that the program does not know.
        entry: open to everybody, or only to people with a signed link (links).
        flagged_share: raters with a larger share of answers flagged fast, rushed, undelivered or unfocused do not
            count. 1, as in studies of version 0.2, is no rule.
        completion_url: where the last page leads; empty: nowhere.
        title, lab: what raters read above each page: of the study, and of the people who run it.
        purpose, pay, retention: why the study is run, what raters get, and how long data are kept: for the language's
            own consent text, which leaves out what is empty.
        minimum_age: of raters, in years; the consent page asks for it.
        comprehension: whether raters answer two questions on the instructions first, with two tries.
        contact, ethics: whom to ask, and the number of the ethics board's approval; below the consent text.
        erased_votes: what becomes of the votes of raters who ask to be erased: kept, or left out.
        calibration: card, where raters measure their screen with a bank card before they begin; else none.
        distance_cm: how far raters are told to sit from the screen, in centimetres; None asks them.
        looks: how often outcomes are looked at, planned beforehand: after the first votes, and after each extension by
            as many.
        boundary: one of `LOOK_SHAPES`, for several looks.
        margin: within which systems are called equivalent: percent from a POS of 50, or grades; None: not tested.
        questions: what is asked beside the question of each trial, and of which kind a trial is. The default is the
            paper's one question and nothing else.
    """

    name: str = "study"
    clips: int = 100
    votes: int = 1
    practice: int = 3
    rate: float = 10.0
    lease_minutes: float = 15.0
    language: str = ENGLISH
    question: str = ""
    consent: str = ""
    consent_format: str = FORMATS[0]
    translations: tuple[StudyTexts, ...] = ()
    completion_code: str = ""
    failed_code: str = ""
    technical_code: str = ""
    withdrawn_code: str = ""
    ineligible_code: str = ""
    full_code: str = ""
    closed_code: str = ""
    declined_code: str = ""
    link_parameter: str = ""
    entry: str = OPEN
    flagged_share: float = 1.0
    completion_url: str = ""
    title: str = ""
    lab: str = ""
    purpose: str = ""
    pay: str = ""
    retention: str = ""
    minimum_age: int = 18
    comprehension: bool = False
    contact: str = ""
    ethics: str = ""
    erased_votes: str = KEPT
    looks: int = 1
    boundary: str = OBRIEN_FLEMING
    margin: float | None = None
    calibration: str = CALIBRATIONS[0]
    distance_cm: float | None = None
    questions: Questions = THE_PAPERS

    def shared(self) -> dict[str, Any]:
        """The settings of this class by name."""
        return {field.name: getattr(self, field.name) for field in fields(SharedSettings)}
