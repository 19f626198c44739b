"""Registration of a study before the first answer: design, rules and analysis, with a hash.

The registration is computed from the database, so it remains the same unless the study was changed. The hash is
recorded when the study is created. If you submit the file to a registry, you can prove later that nothing was changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study_app.design.flags import SUSPECT
from study_app.design.questions import SCALE
from study_app.design.schedule import schedule_before
from study_app.design.settings import CODES, StudySettings
from study_app.store.study import OpenStudy

#: Settings that do not affect what is measured: codes, the address for completed sessions, and the run's folder.
PRIVATE = {*CODES, "completion_url", "run"}
ANALYSIS = (
    "The share of votes for the first system of each comparison, in percent (POS), with a 95 % interval and a "
    "two-sided test against 50 that know that votes of one rater and votes on one source video are alike.",
    "Holm's correction over all comparisons that have votes; a comparison is decided at 0.05 after it.",
    "Descriptive beside it: exact intervals and tests, strengths by Bradley and Terry with intervals over raters and "
    "clips, Krippendorff's alpha, the share of left choices.",
)
#: For studies in which "cannot tell" is an answer.
OF_TIES = (
    "Ties are left out of every share, interval and test, and stand beside them as a share of all votes that count.",
)
#: For studies with several planned looks at the outcomes.
OF_LOOKS = (
    "Outcomes are looked at {looks} times: after the first votes, and after each extension by as many. Each look has a "
    "level of its own ({boundary}; Lan and DeMets where votes differ from the plan), so that all together keep 0.05; "
    "Holm's correction at each look over the comparisons that are not decided.",
)
OF_MARGIN = (
    "Equivalence by two one-sided tests at 0.05 over raters and source videos, within {margin:g} {unit}, with Holm's "
    "correction.",
)
#: For studies that grade single clips on a scale, in place of `ANALYSIS`.
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
#: Rules for studies with planned looks.
RULES_OF_LOOKS = (
    "Votes are collected until every comparison has those that are wanted at a planned look; outcomes are not looked "
    "at between looks, and who does is recorded.",
    RULES[1],
)


@dataclass(frozen=True)
class Registration:
    """The registration as computed now, compared with those recorded at creation and at each extension.

    Attributes:
        contents: the registration as plain values, at creation and after each extension; the last one is current. Each
            but the first contains the hash of the previous one.
        recorded: hashes in the audit trail; fewer than `contents` if something has not been registered.
    """

    contents: tuple[dict[str, Any], ...]
    recorded: tuple[str, ...]

    @property
    def text(self) -> str:
        """The current file: JSON with reproducible bytes."""
        return file_text(self.contents[-1])

    @property
    def sha256s(self) -> tuple[str, ...]:
        """Hash of the file at creation and after each extension."""
        return tuple(file_sha256(content) for content in self.contents)

    @property
    def sha256(self) -> str:
        """Hash of the current file."""
        return self.sha256s[-1]

    @property
    def intact(self) -> bool | None:
        """Whether nothing has changed since registration; None if a registration is not recorded."""
        return self.recorded == self.sha256s if len(self.recorded) >= len(self.contents) else None

    def as_json(self) -> dict[str, Any]:
        """Summary for an export; `added` contains later extensions, each with its previous hash."""
        value = {"sha256": self.sha256, "recorded": self.recorded[-1] if self.recorded else None, "intact": self.intact}
        return value | {"hashes": list(self.sha256s), "added": self.contents[-1].get("added", [])}


def file_text(content: dict[str, Any]) -> str:
    """A registration as the text of its file."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_sha256(content: dict[str, Any]) -> str:
    """Hash of a registration's file."""
    return hashlib.sha256(file_text(content).encode()).hexdigest()


def registration(study: OpenStudy) -> Registration:
    """The registration of a study, computed from the current content of its database."""
    settings, extensions = study.settings, study.extensions()
    schedule, clips = study.schedule(), study.clip_hashes()
    ends = [(e.trials_before, e.slots_before, e.clips_before) for e in extensions]
    states = [
        {"schedule_sha256": schedule_before(schedule, trials, slots).sha256, "clips_sha256": _hash(clips[:shown])}
        for trials, slots, shown in [*ends, (len(schedule.trials), len(schedule.slots), len(clips))]
    ]
    base = {
        "format": 1,
        "study": study.name,
        "created": study.row.created_at.isoformat(timespec="seconds"),
        "seed": study.row.seed,
        **states[0],
        "design": {key: value for key, value in study.kept_settings().items() if key not in PRIVATE},
        "hypotheses": _hypotheses(settings),
        "rules": _rules(settings),
        "analysis": _analysis(settings),
    }
    contents, added = [base], []
    for extension, state in zip(extensions, states[1:], strict=True):
        what = {"seed": extension.seed, "votes": extension.votes, "scenes": json.loads(extension.scenes)}
        when = {"at": extension.made_at.isoformat(timespec="seconds"), "by": extension.made_by}
        added.append({**when, **what, **state, "sha256_before": file_sha256(contents[-1])})
        contents.append({**base, "added": list(added)})
    return Registration(tuple(contents), study.registered())


def _hypotheses(settings: StudySettings) -> list[str]:
    if settings.questions.kind == SCALE:
        return ["The systems' mean grades differ"]
    return [f"{first} is chosen over {second} not as often as not" for first, second in settings.comparisons]


def _rules(settings: StudySettings) -> list[str]:
    """Rules on which raters count; studies of version 0.2 have no rule on flagged answers."""
    rules = [
        *(RULES if settings.looks == 1 else RULES_OF_LOOKS),
        f"Rule on catch trials: {settings.catch_pass} of {settings.catch} right.",
    ]
    if settings.flagged_share < 1:
        flagged = f"{', '.join(SUSPECT[:-1])} or {SUSPECT[-1]}"
        rules.append(
            f"Rule on flagged answers: raters do not count if more than {100 * settings.flagged_share:g} % of their "
            f"answers are flagged {flagged}."
        )
    return rules


def _analysis(settings: StudySettings) -> list[str]:
    graded = settings.questions.kind == SCALE
    margin = [line.format(margin=settings.margin or 0, unit="grades" if graded else "percent") for line in OF_MARGIN]
    margin = margin if settings.margin is not None else []
    if graded:
        return [*OF_GRADES, *margin]
    looks = [line.format(looks=settings.looks, boundary=settings.boundary) for line in OF_LOOKS]
    looks = looks if settings.looks > 1 else []
    each = ["Each question of a trial by itself, in the same way."] if settings.questions.further else []
    return [*ANALYSIS, *(OF_TIES if settings.questions.cannot_tell else ()), *each, *looks, *margin]


def register(study: OpenStudy, actor: str) -> Registration:
    """Record missing hashes in the audit trail; returns the registration."""
    made = registration(study)
    for sha256 in made.sha256s[len(made.recorded) :]:
        study.audit(actor, "registered", sha256)
    return registration(study)


def _hash(clips: Sequence[tuple[str, ...]]) -> str:
    return hashlib.sha256(json.dumps(clips, ensure_ascii=False).encode()).hexdigest()
