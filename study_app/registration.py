"""What a study has committed itself to before the first answer: design, rules and analysis, with a hash.

It is made of what the database holds, so it comes out the same at any time unless somebody has changed the study. The
hash is recorded when the study is made; whoever hands the file in somewhere can show later that nothing was changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from study_app.design.questions import SCALE, THE_PAPERS
from study_app.design.settings import CODES, Settings
from study_app.store.study import OpenStudy

#: Settings that say nothing of what is measured: codes, and places of the people who run it.
PRIVATE = {*CODES, "completion_url", "run"}
#: Settings that studies were registered without, at what these are taken to have said.
LATER: Mapping[str, Any] = {"questions": asdict(THE_PAPERS)}
ANALYSIS = (
    "The share of votes for the first system of each comparison, in percent (POS), with a 95 % interval and a "
    "two-sided test against 50 that know that votes of one rater and votes on one source video are alike.",
    "Holm's correction over all comparisons that have votes; a comparison is decided at 0.05 after it.",
    "Descriptive beside it: exact intervals and tests, strengths by Bradley and Terry with intervals over raters and "
    "clips, Krippendorff's alpha, the share of left choices.",
)
#: Where a pair can be answered with "cannot tell".
OF_TIES = (
    "Ties are left out of every share, interval and test, and stand beside them as a share of all votes that count.",
)
#: Of a study whose trials are one clip on a scale, in place of `ANALYSIS`.
OF_GRADES = (
    "The mean grade of each system (MOS), with a 95 % interval that knows that grades of one rater and grades of one "
    "source video are alike.",
    "Differences of systems' means, each with such an interval, and Holm's correction over all pairs.",
)
RULES = (
    "Votes are collected until every comparison has those that are wanted; outcomes are not looked at before, and who "
    "does is recorded.",
    "Practice and catch trials are in no share. Raters who fail the rule on catch trials, who have withdrawn, or who "
    "left before they had shown that they attend do not count; any other exclusion is recorded with its reason.",
)


@dataclass(frozen=True)
class Registration:
    """What is registered, and whether it is what was registered when the study was made.

    Attributes:
        content: all of it, as plain values.
        recorded: the hash in the audit trail; None for a study that has not been registered.
    """

    content: dict[str, Any]
    recorded: str | None

    @property
    def text(self) -> str:
        """The file: JSON whose bytes are always the same."""
        return json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def intact(self) -> bool | None:
        """Whether nothing has changed since; None where nothing was recorded."""
        return None if self.recorded is None else self.recorded == self.sha256

    def as_json(self) -> dict[str, Any]:
        """What an export says of it."""
        return {"sha256": self.sha256, "recorded": self.recorded, "intact": self.intact}


def registration(study: OpenStudy) -> Registration:
    """What a study has committed itself to, from what its database holds now."""
    settings = study.settings
    design = {
        key: value for key, value in asdict(settings).items() if key not in PRIVATE and value != LATER.get(key, ...)
    }
    clips = json.dumps(study.clip_hashes(), ensure_ascii=False).encode()
    content = {
        "format": 1,
        "study": study.name,
        "created": study.row.created_at.isoformat(timespec="seconds"),
        "seed": study.row.seed,
        "schedule_sha256": study.schedule().sha256,
        "clips_sha256": hashlib.sha256(clips).hexdigest(),
        "design": design,
        "hypotheses": _hypotheses(settings),
        "rules": [*RULES, f"Rule on catch trials: {settings.catch_pass} of {settings.catch} right."],
        "analysis": _analysis(settings),
    }
    return Registration(content, study.registered())


def _hypotheses(settings: Settings) -> list[str]:
    if settings.questions.kind == SCALE:
        return ["The systems' mean grades differ"]
    return [f"{first} is chosen over {second} not as often as not" for first, second in settings.comparisons]


def _analysis(settings: Settings) -> list[str]:
    if settings.questions.kind == SCALE:
        return list(OF_GRADES)
    each = ["Each question of a trial by itself, in the same way."] if settings.questions.further else []
    return [*ANALYSIS, *(OF_TIES if settings.questions.cannot_tell else ()), *each]


def register(study: OpenStudy, actor: str) -> Registration:
    """The same, its hash recorded if none is."""
    made = registration(study)
    if made.recorded is None:
        study.audit(actor, "registered", made.sha256)
        made = registration(study)
    return made
