"""Settings of a study: as requested, and as used to create the study."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from bench.errors import BenchError
from study_app.design import question_file
from study_app.design import questions as asking
from study_app.design.shared_settings import (
    BALANCED,
    BIG_STICK,
    CALIBRATIONS,
    CATCH,
    CODES,
    ENTRIES,
    ERASED_VOTES,
    FORMATS,
    KEPT,
    LEFT_OUT,
    LINKS,
    LOOK_SHAPES,
    MARKDOWN,
    MOST_LOOKS,
    NUMBER_LIKE,
    OBRIEN_FLEMING,
    OPEN,
    PLAIN,
    POCOCK,
    RULE,
    SECONDS_TO_ANSWER,
    SECONDS_TO_CHOOSE,
    SECONDS_TO_FILL_IN,
    SECONDS_TO_READ,
    SIDES,
    WORKLOAD,
    SharedSettings,
    StudyTexts,
)
from study_app.locales import texts

__all__ = [
    "BALANCED",
    "BIG_STICK",
    "CALIBRATIONS",
    "CATCH",
    "CODES",
    "ENTRIES",
    "ERASED_VOTES",
    "FORMATS",
    "KEPT",
    "LEFT_OUT",
    "LINKS",
    "LOOK_SHAPES",
    "MARKDOWN",
    "MOST_LOOKS",
    "NUMBER_LIKE",
    "OBRIEN_FLEMING",
    "OPEN",
    "PLAIN",
    "POCOCK",
    "RULE",
    "SECONDS_TO_ANSWER",
    "SECONDS_TO_CHOOSE",
    "SECONDS_TO_FILL_IN",
    "SECONDS_TO_READ",
    "SIDES",
    "WORKLOAD",
    "SharedSettings",
    "StudyRequest",
    "StudySettings",
    "StudyTexts",
]


@dataclass(frozen=True, kw_only=True)
class StudyRequest(SharedSettings):
    """A request for a study.

    None selects what the clips allow: the paper's comparisons whose rows exist, and clips at their own size. The
    numbers of trials and catch trials are then `WORKLOAD` and `CATCH`, or as many as are available.

    Attributes:
        runs: run folders, whose rows are joined. With `folders`, a run folder with only scores provides the metrics.
        folders: (method, folder or zip archive of its videos), with videos named by clip ID.
        real: folder or archive of the real clips with the same IDs; None: those of the run, or none.
        comparisons, workload, catch, catch_pass: as in `StudySettings`.
        seed: seed of the schedule; None: a random one, which the study stores.
        size: pixels per side; for clips that are not square, their height.
        accept_first_frames: accept clips that do not begin like the real one.
        accept_weak_catch: accept a catch-trial rule that separates attentive raters from random clickers poorly.
    """

    flagged_share: float = 0.5
    runs: tuple[Path, ...] = ()
    folders: tuple[tuple[str, Path], ...] = ()
    real: Path | None = None
    comparisons: tuple[tuple[str, str], ...] | None = None
    workload: int | None = None
    catch: int | None = None
    catch_pass: int | None = None
    seed: int | None = None
    size: int | None = None
    accept_first_frames: bool = False
    accept_weak_catch: bool = False

    def with_seed(self) -> StudyRequest:
        """The same request with a random seed if none is given, so that the sides cannot be computed beforehand."""
        return self if self.seed is not None else replace(self, seed=secrets.randbelow(2**31))

    @property
    def drawn_seed(self) -> int:
        """The seed; raises a `BenchError` if none is given and `with_seed` was not called."""
        if self.seed is None:
            raise BenchError("A schedule needs a seed.")
        return self.seed


@dataclass(frozen=True, kw_only=True)
class StudySettings(SharedSettings):
    """Settings with which a study was created; the database stores them as canonical JSON.

    Attributes:
        run: run folder from which the study was created, for its metrics; empty if there is none. Never shown to
            raters.
        dataset: dataset of the run.
        comparisons: (first, second) rows; POS counts how often first is chosen. For a study of kind `SCALE`, they are
            (row, `ALONE`).
        scenes: ids of all clips that every row has, in order; the schedule draws from these.
        workload, catch: trials and catch trials of one rater.
        catch_pass: catch trials out of `catch` that a rater must get right for the votes to count.
        frames, size: number of frames shown, and pixels per side.
        width: width of clips that are not square, in pixels; `size` is then their height. 0: as wide as high.
        titles: (row, its display name), for the people who run the study; a row without one is shown by its own name.
        has_real: whether there are real clips. If not, practice and catch trials alter a method's own clip.
        slot_bytes: length of one clip's slot in a trial's message.
        consent_version: hash of the consent text.
        rule: see `RULE`.
        sides: one of `SIDES`.
        pilot: whether this is a pilot copy of a study; its votes are not counted in the study.
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
    width: int = 0
    has_real: bool = True
    titles: tuple[tuple[str, str], ...] = ()

    def with_consent(self, text: str) -> StudySettings:
        """The same settings with this consent text, its placeholders such as `{minutes}` filled in, and its hash.

        The hash is the version of the consent text. All translations are treated in the same way. Contact and the
        ethics board's number are part of what raters agree to.
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
        said = {"minutes": self.minutes, "age": self.minimum_age}
        said |= {name: getattr(self, name) for name in ("lab", "purpose", "pay", "retention")}
        return re.sub("|".join(rf"\{{{name}\}}" for name in said), lambda found: str(said[found[0][1:-1]]), text)

    def _version(self, shown: str) -> str:
        agreed_to = "\n".join([shown, self.contact, self.ethics]) if self.contact or self.ethics else shown
        return hashlib.sha256(agreed_to.encode()).hexdigest()[:12]

    def title_of(self, row: str) -> str:
        """A row's display name."""
        return {"real": "Real", **dict(self.titles)}.get(row, row)

    @property
    def systems(self) -> tuple[str, ...]:
        """The methods that are compared, in order of appearance, including the real clips if they are compared."""
        return tuple(dict.fromkeys(name for pair in self.comparisons for name in pair if name != asking.ALONE))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that raters can choose, the study's own first."""
        return (self.language, *(words.language for words in self.translations))

    def words(self, language: str) -> StudyTexts:
        """Question and consent in a language, or in the study's own if there is no translation."""
        own = StudyTexts(self.language, self.question, self.consent, self.consent_version, self.consent_format)
        return next((words for words in self.translations if words.language == language), own)

    @staticmethod
    def has_pictures(words: StudyTexts) -> bool:
        """Whether a consent text in Markdown contains a picture."""
        if words.consent_format != "markdown":
            return False
        tokens = MarkdownIt("commonmark").parse(words.consent)
        return any(part.type == "image" for token in tokens for part in token.children or [])

    def code_of(self, outcome: str) -> str:
        """The code for a session's outcome, one of `rater_tables.OUTCOMES`; empty: an individual one per rater."""
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
        """Length of a session in minutes for a quick rater, who plays every pair once and then chooses."""
        pairs = self.practice + self.workload + self.catch
        thought = SECONDS_TO_CHOOSE + SECONDS_TO_ANSWER * len(self.questions.further)
        filled_in = SECONDS_TO_FILL_IN * sum(len(self.questions.part(part)) for part in asking.PARTS)
        filled_in += 2 * SECONDS_TO_FILL_IN * self.comprehension
        return max(2, round((pairs * (self.frames / self.rate + thought) + filled_in + SECONDS_TO_READ) / 60))

    def to_json(self) -> str:
        """Canonical JSON: equal settings give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> StudySettings:
        """Read the output of `to_json`; raises a `BenchError` if the study follows other rules than this version."""
        value: dict[str, Any] = json.loads(text)
        if (rule := value.get("rule", 1)) != RULE:
            raise BenchError(
                f"The study '{value['name']}' follows rule {rule} of a version before 0.2, and this version follows "
                f"rule {RULE}: finish and export the study with version 0.2.0."
            )
        value["comparisons"] = tuple((first, second) for first, second in value["comparisons"])
        value["scenes"] = tuple(value["scenes"])
        value["titles"] = tuple((row, title) for row, title in value.get("titles", ()))
        value["translations"] = tuple(StudyTexts(**words) for words in value.get("translations", ()))
        value.setdefault("sides", BALANCED)  # studies of version 0.2
        value["questions"] = question_file.parse(value.get("questions", {}))
        return cls(**value)

    def check(self) -> None:
        """Raise a `BenchError` for numbers and texts that do not make a valid study."""
        for language in self.languages:
            texts(language)
            self.questions.check(language)
        if len(set(self.languages)) < len(self.languages):
            raise BenchError("A language of the study is named twice. Leave one of them out.")
        if self.calibration not in CALIBRATIONS:
            raise BenchError(f"--calibration is '{self.calibration}': expected {' or '.join(CALIBRATIONS)}.")
        if self.distance_cm is not None and not 10 <= self.distance_cm <= 500:
            raise BenchError(f"The viewing distance is {self.distance_cm:g} cm: expected 10 to 500 cm.")
        if not 1 <= self.looks <= MOST_LOOKS:
            raise BenchError(f"A study can have 1 to {MOST_LOOKS} planned looks, not {self.looks}.")
        if self.boundary not in LOOK_SHAPES:
            raise BenchError(f"--boundary is '{self.boundary}': expected {' or '.join(LOOK_SHAPES)}.")
        if self.looks > 1 and self.questions.kind == asking.SCALE:
            raise BenchError("Planned looks are for studies of pairs: leave --looks out for grades.")
        widest, unit = (4.0, "grades") if self.questions.kind == asking.SCALE else (50.0, "percent")
        if self.margin is not None and not 0 < self.margin < widest:
            raise BenchError(f"The margin is {self.margin:g} {unit}: expected above 0 and below {widest:g}.")
        if self.erased_votes not in ERASED_VOTES:
            raise BenchError(f"--erased-votes is '{self.erased_votes}': expected {' or '.join(ERASED_VOTES)}.")
        if not 0 <= self.minimum_age <= 99:
            raise BenchError(f"The minimum age is {self.minimum_age}: expected 0 to 99.")
        for name in ("clips", "votes", "workload", "frames", "size"):
            if getattr(self, name) < 1:
                raise BenchError(f"A study needs {name} of at least 1, not {getattr(self, name)}.")
        if min(self.practice, self.catch) < 0:
            raise BenchError("The numbers of practice and catch trials cannot be negative.")
        if not 0 <= self.catch_pass <= self.catch:
            raise BenchError(f"A rater has {self.catch} catch trials and cannot pass {self.catch_pass} of them.")
        if not 0.5 <= self.rate <= 60:
            raise BenchError(f"Clips are shown at 0.5 to 60 frames a second, not {self.rate}.")
        if self.lease_minutes <= 0:
            raise BenchError("An assignment must be leased for more than 0 minutes.")
        self._check_texts()
        for name in CODES:
            if NUMBER_LIKE.fullmatch(code := getattr(self, name)):
                raise BenchError(f"A spreadsheet would change the code {code}, a number. Add letters to it.")
        if self.entry not in ENTRIES:
            raise BenchError(f"--entry is '{self.entry}': expected open (to everybody) or links (only signed links).")
        if not 0 < self.flagged_share <= 1:
            raise BenchError(f"The share of flagged answers is above 0 and at most 1, not {self.flagged_share:g}.")
        if self.link_parameter and not re.fullmatch(r"[A-Za-z][\w.-]{0,39}", self.link_parameter):
            raise BenchError(f"The link parameter '{self.link_parameter}' may only have letters, digits, - and _.")
        if self.completion_url and not self.completion_url.startswith("https://"):
            raise BenchError("The completion address must start with https://.")

    def _check_texts(self) -> None:
        shown = [self.words(language) for language in self.languages]
        if not all(words.question.strip() and words.consent.strip() for words in shown):
            raise BenchError("A study needs a question and a consent text.")
        if any(self.has_pictures(words) for words in shown):
            raise BenchError("The consent text contains a picture, which raters' pages do not show. Leave it out.")
