"""Settings of a study: as requested, and as the study was made with them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from bench.errors import BenchError
from study_app.design import question_file
from study_app.design import questions as asking
from study_app.design.questions import THE_PAPERS, Questions
from study_app.locales import ENGLISH, texts

#: Number of the rules that a study follows: trials, sides, who counts. Versions before 0.2 had others.
RULE = 3
#: From the end of a pair's first play to the next pair.
SECONDS_TO_CHOOSE = 3.0
#: For each further question about a pair, and for a question before or after the pairs.
SECONDS_TO_ANSWER, SECONDS_TO_FILL_IN = 2.0, 8.0
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
FORMATS, CALIBRATIONS = ("text", "markdown"), ("none", "card")


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
            length.
        consent_format: text, or markdown.
        translations: question and consent in further languages, of which a rater's browser, or the rater, chooses one.
        completion_code: shown at the end; empty: each rater gets one of their own.
        failed_code, technical_code, withdrawn_code: the same for who failed the catch trials or was excluded, for whose
            clips did not load, and for who has withdrawn; so that whoever pays can tell these apart.
        ineligible_code: for who may not take part by the screening questions.
        full_code, closed_code: for who has agreed to take part and finds no pair left, or the study closed.
        declined_code: for who does not agree; empty: none, as nothing is known of them.
        link_parameter: the parameter of a link that names a participant, of a platform that the program does not know.
        entry: open to everybody, or only to people with a signed link (links).
        flagged_share: raters with a larger share of answers flagged fast, rushed, undelivered or unfocused do not
            count. 1, as in studies of version 0.2, is no rule.
        completion_url: where the last page leads; empty: nowhere.
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


@dataclass(frozen=True, kw_only=True)
class StudyRequest(SharedSettings):
    """What a study is asked to be.

    None leaves a choice to what the run allows: the paper's comparisons as far as it has their rows, `WORKLOAD` trials
    and `CATCH` catch trials or as many as there are, clips at the size they have.

    Attributes:
        runs: run folders, whose rows are joined.
        comparisons, workload, catch, catch_pass: as in `StudySettings`.
        seed: of the schedule; None: a random one, which the study keeps.
        size: pixels a side.
        accept_first_frames: take clips that do not begin like the real one.
        accept_weak_catch: take a rule on catch trials that tells attentive raters and random clickers apart badly.
    """

    runs: tuple[Path, ...]
    flagged_share: float = 0.5
    comparisons: tuple[tuple[str, str], ...] | None = None
    workload: int | None = None
    catch: int | None = None
    catch_pass: int | None = None
    seed: int | None = None
    size: int | None = None
    accept_first_frames: bool = False
    accept_weak_catch: bool = False

    def with_seed(self) -> StudyRequest:
        """The same with a random seed where none is given: nobody can compute the sides beforehand."""
        return self if self.seed is not None else replace(self, seed=secrets.randbelow(2**31))

    @property
    def drawn_seed(self) -> int:
        """The seed; a `BenchError` where none is given and `with_seed` was not asked."""
        if self.seed is None:
            raise BenchError("A schedule needs a seed.")
        return self.seed


@dataclass(frozen=True, kw_only=True)
class StudySettings(SharedSettings):
    """What a study was made with; the database keeps it as canonical JSON.

    Attributes:
        run: the run folder it was made from, for its metrics; never shown to raters.
        dataset: of the run.
        comparisons: (first, second) rows; POS counts how often first is chosen. Of a study of kind `SCALE` they are
            (row, `ALONE`).
        scenes: every clip id that all rows have, in order; the schedule draws from these.
        workload, catch: trials and catch trials of one rater.
        catch_pass: catch trials out of `catch` that a rater must get right for the votes to count.
        frames, size: what is shown: frames, pixels a side.
        slot_bytes: length of one clip's slot in a trial's message.
        consent_version: hash of the consent text.
        rule: see `RULE`.
        sides: one of `SIDES`.
        pilot: whether this is a study's copy for trying it out; its votes are in no tally of the study.
    """

    run: str
    dataset: str
    comparisons: tuple[tuple[str, str], ...]
    scenes: tuple[str, ...]
    workload: int
    catch: int
    catch_pass: int
    frames: int
    size: int
    slot_bytes: int
    consent_version: str
    rule: int = RULE
    sides: str = BIG_STICK
    pilot: bool = False

    def with_consent(self, text: str) -> StudySettings:
        """The same with this text of the consent page, its `{minutes}` filled in, and a version that is its hash.

        So with all translations; contact and the ethics board's number are part of what is agreed to.
        """
        shown = self._shown(text)
        translations = tuple(
            replace(
                words, consent=self._shown(words.consent), consent_version=self._version(self._shown(words.consent))
            )
            for words in self.translations
        )
        return replace(self, consent=shown, consent_version=self._version(shown), translations=translations)

    def _shown(self, text: str) -> str:
        return text.replace("{minutes}", str(self.minutes))

    def _version(self, shown: str) -> str:
        agreed_to = "\n".join([shown, self.contact, self.ethics]) if self.contact or self.ethics else shown
        return hashlib.sha256(agreed_to.encode()).hexdigest()[:12]

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that raters can have, the study's own first."""
        return (self.language, *(words.language for words in self.translations))

    def words(self, language: str) -> StudyTexts:
        """Question and consent in a language; in the study's own where it has no other."""
        own = StudyTexts(self.language, self.question, self.consent, self.consent_version, self.consent_format)
        return next((words for words in self.translations if words.language == language), own)

    @staticmethod
    def has_pictures(words: StudyTexts) -> bool:
        """Whether a consent text in Markdown has a picture."""
        if words.consent_format != "markdown":
            return False
        tokens = MarkdownIt("commonmark").parse(words.consent)
        return any(part.type == "image" for token in tokens for part in token.children or [])

    def code_of(self, outcome: str) -> str:
        """The code for how a session ended, one of `rater_tables.OUTCOMES`; empty: one for each rater."""
        return {
            "complete": self.completion_code,
            "failed": self.failed_code,
            "excluded": self.failed_code,
            "technical": self.technical_code,
            "withdrawn": self.withdrawn_code,
            "ineligible": self.ineligible_code,
            "full": self.full_code,
            "closed": self.closed_code,
        }[outcome]

    @property
    def minutes(self) -> int:
        """How long a session takes, about: every pair is played once and thought about; two minutes are for reading."""
        pairs = self.practice + self.workload + self.catch
        thought = SECONDS_TO_CHOOSE + SECONDS_TO_ANSWER * len(self.questions.further)
        filled_in = SECONDS_TO_FILL_IN * sum(len(self.questions.part(part)) for part in asking.PARTS)
        return max(3, round((pairs * (self.frames / self.rate + thought) + filled_in + 120) / 60))

    def to_json(self) -> str:
        """Canonical JSON: the same settings are the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> StudySettings:
        """Read what `to_json` wrote; a `BenchError` for a study that follows other rules than this version."""
        value: dict[str, Any] = json.loads(text)
        if (rule := value.get("rule", 1)) != RULE:
            raise BenchError(
                f"The study '{value['name']}' follows rule {rule} of a version before 0.2, and this version follows "
                f"rule {RULE}: finish and export the study with version 0.2.0."
            )
        value["comparisons"] = tuple((first, second) for first, second in value["comparisons"])
        value["scenes"] = tuple(value["scenes"])
        value["translations"] = tuple(StudyTexts(**words) for words in value.get("translations", ()))
        value.setdefault("sides", BALANCED)  # of 0.2
        value["questions"] = question_file.parse(value.get("questions", {}))
        return cls(**value)

    def check(self) -> None:
        """Raise a `BenchError` for numbers and texts that make no study."""
        for language in self.languages:
            texts(language)
            self.questions.check(language)
        if len(set(self.languages)) < len(self.languages):
            raise BenchError("A language of the study is named twice: leave one out.")
        if self.calibration not in CALIBRATIONS:
            raise BenchError(f"Screens are measured by {' or '.join(CALIBRATIONS)}, not '{self.calibration}'.")
        if self.distance_cm is not None and not 10 <= self.distance_cm <= 500:
            raise BenchError(f"Raters sit 10 to 500 cm from their screens, not {self.distance_cm:g}.")
        if not 1 <= self.looks <= MOST_LOOKS:
            raise BenchError(f"A study can have 1 to {MOST_LOOKS} planned looks, not {self.looks}.")
        if self.boundary not in LOOK_SHAPES:
            raise BenchError(f"Bounds of planned looks are {' or '.join(LOOK_SHAPES)}, not '{self.boundary}'.")
        if self.looks > 1 and self.questions.kind == asking.SCALE:
            raise BenchError("Planned looks are for studies of pairs: leave --looks out for grades.")
        widest, unit = (4.0, "grades") if self.questions.kind == asking.SCALE else (50.0, "percent")
        if self.margin is not None and not 0 < self.margin < widest:
            raise BenchError(f"A margin is above 0 and below {widest:g} {unit}, not {self.margin:g}.")
        if self.erased_votes not in ERASED_VOTES:
            raise BenchError(f"Votes of erased raters are {' or '.join(ERASED_VOTES)}, not '{self.erased_votes}'.")
        for name in ("clips", "votes", "workload", "frames", "size"):
            if getattr(self, name) < 1:
                raise BenchError(f"A study needs {name} of at least 1, not {getattr(self, name)}.")
        if self.practice < 0 or self.catch < 0:
            raise BenchError("The numbers of practice and catch trials cannot be negative.")
        if not 0 <= self.catch_pass <= self.catch:
            raise BenchError(f"Of {self.catch} catch trials a rater cannot be asked for {self.catch_pass} right ones.")
        if not 0.5 <= self.rate <= 60:
            raise BenchError(f"Clips are shown at 0.5 to 60 frames a second, not {self.rate}.")
        if self.lease_minutes <= 0:
            raise BenchError("An assignment must be leased for more than 0 minutes.")
        texts_shown = [self.words(language) for language in self.languages]
        if not all(shown.question.strip() and shown.consent.strip() for shown in texts_shown):
            raise BenchError("A study needs a question and a consent text.")
        for name in CODES:
            if NUMBER_LIKE.fullmatch(code := getattr(self, name)):
                raise BenchError(f"A spreadsheet would change the code {code}, as it is a number: add letters to it.")
        if self.entry not in ENTRIES:
            raise BenchError(f"A study is open to everybody (open) or to signed links (links), not '{self.entry}'.")
        if not 0 < self.flagged_share <= 1:
            raise BenchError(f"The share of flagged answers is above 0 and at most 1, not {self.flagged_share:g}.")
        if self.link_parameter and not re.fullmatch(r"[A-Za-z][\w.-]{0,39}", self.link_parameter):
            raise BenchError(f"A link's parameter has letters, digits, - and _, unlike '{self.link_parameter}'.")
        if any(self.has_pictures(self.words(language)) for language in self.languages):
            raise BenchError("The consent text has a picture, which raters' pages do not show: leave it out.")
        if self.completion_url and not self.completion_url.startswith("https://"):
            raise BenchError("The completion address must begin with https://.")
