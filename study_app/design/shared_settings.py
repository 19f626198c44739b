"""Settings that a study keeps as they were requested, and their possible values."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from study_app.design.questions import THE_PAPERS, Questions
from study_app.locales import ENGLISH

#: Version of the rules that a study follows: trials, sides, whose votes count. Releases before 0.2 had other rules.
RULE = 3
#: Time of a quick rater: from the end of a pair's first play to the next pair, and to read consent and instructions.
SECONDS_TO_CHOOSE, SECONDS_TO_READ = 1.2, 30.0
#: Time of a quick rater for each further question about a pair, and for a question before or after the pairs.
SECONDS_TO_ANSWER, SECONDS_TO_FILL_IN = 1.5, 6.0
#: Settings that contain the code for a session's outcome.
CODES = (
    "completion_code", "failed_code", "technical_code", "withdrawn_code", "ineligible_code", "full_code", "closed_code",
    "declined_code",
)  # fmt: skip
#: Codes that a spreadsheet reads as a number and therefore changes.
NUMBER_LIKE = re.compile(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?")
#: Who may take part: anyone, or only people with a signed link.
ENTRIES = OPEN, LINKS = ("open", "links")
#: Default number of trials and of catch trials per rater.
WORKLOAD, CATCH = 50, 10
#: What happens to votes whose rater is erased.
ERASED_VOTES = KEPT, LEFT_OUT = ("kept", "left out")
#: Shapes of the bounds of planned looks, and the maximum number of looks.
LOOK_SHAPES = OBRIEN_FLEMING, POCOCK = ("obrien-fleming", "pocock")
MOST_LOOKS = 20
#: How the sides of a rater's trials are drawn, see `trial_order`; studies of 0.2 balance each session.
SIDES = BIG_STICK, BALANCED = ("big stick", "balanced")
#: Formats of a consent text, and ways in which raters can measure their screens.
FORMATS = PLAIN, MARKDOWN = ("text", "markdown")
CALIBRATIONS = ("none", "card")


@dataclass(frozen=True)
class StudyTexts:
    """A study's own texts for raters, in one language; a version is the hash of the consent text."""

    language: str
    question: str = ""
    consent: str = ""
    consent_version: str = ""
    consent_format: str = FORMATS[0]


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """Settings that a study keeps as they were requested; the defaults are those of `bench study create`.

    Attributes:
        name: name of the study, unique in its database.
        clips: scenes per comparison.
        votes: required votes per pair.
        practice: practice trials of one rater.
        rate: frames per second.
        lease_minutes: minutes after which an unused assignment returns to the pool.
        language: language of everything that raters read; a file of `study_app.locales`.
        question: question of each trial; empty in a request: the default of the language.
        consent: consent text as raters read it; empty in a request: the default of the language. In a request,
            `{minutes}` is replaced by a session's length, and `{lab}`, `{purpose}`, `{pay}`, `{retention}` and `{age}`
            by the values of the settings.
        consent_format: text, or markdown.
        translations: question and consent in further languages; the rater's browser, or the rater, chooses one.
        completion_code: shown at the end; empty: each rater gets an individual one.
        failed_code, technical_code, withdrawn_code: the same for raters who failed the catch trials or were excluded,
            for raters whose clips did not load, and for raters who withdrew. They distinguish these cases for payment.
        ineligible_code: for raters whom the screening questions exclude.
        full_code, closed_code: for raters who agreed to take part but find no pair left, or find the study closed.
        declined_code: for people who do not agree; empty: none, because nothing is known about them.
        link_parameter: URL parameter that names a participant, for a platform that the program does not know.
        entry: open to anyone (open), or only to people with a signed link (links).
        flagged_share: raters with a larger share of answers flagged fast, rushed, undelivered or unfocused do not
            count. 1, as in studies of version 0.2, disables the rule.
        completion_url: address to which the last page leads; empty: none.
        title, lab: names of the study and of the people who run it, which raters read above each page.
        purpose, pay, retention: why the study is run, what raters receive, and how long data are kept. The default
            consent text of the language uses these, and leaves out empty ones.
        minimum_age: minimum age of raters, in years; the consent page asks raters to confirm it.
        comprehension: whether raters answer two questions on the instructions first, with two tries.
        contact, ethics: contact for questions, and the number of the ethics board's approval; shown below the consent
            text.
        erased_votes: what happens to the votes of raters who ask to be erased: kept, or left out.
        calibration: card: raters measure their screen with a bank card before they begin; none: they do not.
        distance_cm: distance from the screen that raters are asked to keep, in centimetres; None: raters report theirs.
        looks: number of planned looks at the outcomes: after the first votes, and after each extension by as many.
        boundary: one of `LOOK_SHAPES`, for several looks.
        margin: margin within which methods are called equivalent: percent from a POS of 50, or grades; None: not
            tested.
        questions: questions in addition to that of each trial, and the kind of trial. The default is the paper's one
            question and nothing else.
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
