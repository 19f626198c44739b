"""Creation of a study: what is compared, fairness checks, and clips prepared for serving."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError, did_you_mean
from bench.runfolder import REAL
from study_app.design.catch_rule import CatchRule, smallest_rule, strictest_rule
from study_app.design.questions import ALONE, PARTS, SCALE
from study_app.design.schedule import Schedule, capacity, draw_schedule
from study_app.design.settings import (
    CALIBRATIONS,
    CATCH,
    MARKDOWN,
    WORKLOAD,
    StudyRequest,
    StudySettings,
    StudyTexts,
)
from study_app.locales import words
from study_app.pipeline.clip_preparation import message_slot, prepare
from study_app.pipeline.material import Material, open_material, shared_scenes
from study_app.pipeline.registration import register
from study_app.store.store import Store

#: Comparisons of the paper's Tables II and III. Their eight rows need only seven comparisons: "MD-GAN over Real" and
#: "Stage II over Real" use the same clips, so the same votes fill both rows.
PAPER_COMPARISONS = (
    ("mdgan-2", "vgan"),
    ("mdgan-2", "rnngan"),
    ("vgan", REAL),
    ("rnngan", REAL),
    ("mdgan-2", REAL),
    ("mdgan-2", "mdgan-1"),
    ("mdgan-1", REAL),
)


@dataclass(frozen=True)
class CreatedStudy:
    """Result of creating a study, as reported to its author."""

    name: str
    settings: StudySettings
    schedule: Schedule
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The study in one sentence."""
        settings = self.settings
        if settings.questions.kind == SCALE:
            return (
                f"Study '{self.name}': {len(settings.comparisons)} methods on a scale, "
                f"{len(self.schedule.slots)} grades needed, {settings.workload} clips per rater; raters must "
                f"pass {settings.catch_pass} of {settings.catch} catch trials."
            )
        return (
            f"Study '{self.name}': {len(settings.comparisons)} comparisons, {len(self.schedule.slots)} votes needed, "
            f"{settings.workload} trials per rater; raters must pass {settings.catch_pass} of {settings.catch} "
            f"catch trials. It takes {-(-len(self.schedule.slots) // settings.workload)} raters or more."
        )


def create(where: str | Path | None, request: StudyRequest) -> CreatedStudy:
    """Create a study in the database `where`, which is created if it does not exist.

    Raises:
        BenchError: the requested study is impossible with these videos; nothing is written.
    """
    request = request.with_seed()
    material = open_material(request.runs, request.folders, request.real)
    comparisons = _comparisons(request, material)
    compared = [name for pair in comparisons for name in pair if name != ALONE]
    names = list(dict.fromkeys([*([REAL] if material.has_real else []), *compared]))
    scenes = shared_scenes(names, material)
    practice, rule = _checks(request, len(scenes), material.notes)
    draft = _draft(request, material, comparisons, scenes, practice, rule)
    draft.check()
    if request.clips > len(scenes):
        material.notes.append(f"The methods share {len(scenes)} clips; all of these are compared.")
    schedule = draw_schedule(draft, request.drawn_seed)
    most = capacity(schedule)
    if most < 1:
        raise BenchError(
            f"With {practice} practice and {rule.planned} catch trials on {len(scenes)} clips, no trial remains "
            "for a rater. Give a smaller --practice and --catch."
        )
    if request.workload is not None and request.workload > most:
        raise BenchError(
            f"A rater can see at most {most} trials of this study, not {request.workload}. Lower --workload."
        )
    clips, (frames, size, width) = prepare(schedule, names, request, material)
    workload, slot = min(draft.workload, most), message_slot(schedule, clips)
    settings = replace(
        draft, frames=frames, size=size, width=width if width != size else 0, slot_bytes=slot, workload=workload
    ).with_consent(draft.consent)
    register(Store.migrated(where).add(settings, request.drawn_seed, schedule, clips), "create")
    return CreatedStudy(settings.name, settings, schedule, tuple(material.notes))


def _draft(
    request: StudyRequest,
    material: Material,
    comparisons: tuple[tuple[str, str], ...],
    scenes: list[str],
    practice: int,
    rule: CatchRule,
) -> StudySettings:
    """Settings that are known before clips are read."""
    draft = StudySettings(
        **request.shared(),
        run=str(material.run or ""),
        dataset=material.dataset,
        comparisons=comparisons,
        scenes=tuple(scenes),
        workload=request.workload if request.workload is not None else WORKLOAD,
        catch=rule.planned,
        catch_pass=rule.needed,
        frames=1,  # placeholders: these three are known once clips are read
        size=1,
        slot_bytes=1,
        consent_version="",
        has_real=material.has_real,
        titles=tuple((name, material.titles[name]) for name in material.rows if name in material.titles),
    )
    return replace(
        draft,
        clips=min(request.clips, len(scenes)),
        practice=practice,
        question=_question(request, request.question, request.language),
        consent=request.consent or default_consent(request, request.language),
        consent_format=request.consent_format if request.consent else MARKDOWN,
        translations=_translations(request),
    )


def _translations(request: StudyRequest) -> tuple[StudyTexts, ...]:
    """Requested translations; missing texts default to the standard text of the language."""
    for translation in request.translations:
        missing = "--question-in" if request.question and not translation.question else ""
        missing = "--consent-in" if request.consent and not translation.consent else missing
        if missing:
            raise BenchError(f"The study's own text has no translation into '{translation.language}'. Give {missing}.")
    return tuple(
        replace(
            translation,
            question=_question(request, translation.question, translation.language),
            consent=translation.consent or default_consent(request, translation.language),
            consent_format=translation.consent_format if translation.consent else MARKDOWN,
        )
        for translation in request.translations
    )


def _question(request: StudyRequest, given: str, language: str) -> str:
    """The study's question in a language; the first one if there are several."""
    if given and request.questions.trial:
        raise BenchError("The question is given twice. Leave out --question, or [[trial]] in the questions file.")
    return request.questions.asked(given or words(language, request.questions.wording)["question"], language)[0]


def default_consent(request: StudyRequest, language: str) -> str:
    """Default consent text of a language, in Markdown: who runs the study, why, what raters do, which data are kept."""
    parts = words(language, request.questions.wording)["consent"]
    applies = {
        "why": not request.purpose,
        "own_why": bool(request.purpose),
        "who": bool(request.lab),
        "pay": bool(request.pay),
        "measured": request.calibration != CALIBRATIONS[0],
        "questions": any(request.questions.part(part) for part in PARTS),
        "comprehension": request.comprehension,
        "retention": bool(request.retention),
    }
    return "\n\n".join(text for name, text in parts.items() if applies.get(name, True))


def _comparisons(request: StudyRequest, material: Material) -> tuple[tuple[str, str], ...]:
    """Pairs to compare; on a scale, each method alone."""
    pairs = _pairs(request, material)
    if request.questions.kind == SCALE:
        return tuple((name, ALONE) for name in dict.fromkeys(name for pair in pairs for name in pair))
    return pairs


def _pairs(request: StudyRequest, material: Material) -> tuple[tuple[str, str], ...]:
    if request.comparisons is None:
        return _default_pairs(material)
    for pair in request.comparisons:
        for name in pair:
            if name not in material.rows:
                raise BenchError(f"There is no method '{name}'.{did_you_mean(name, material.rows)}")
        if pair[0] == pair[1]:
            raise BenchError(f"A comparison needs two different methods, not {pair[0]} twice.")
    unordered = [frozenset(pair) for pair in request.comparisons]
    if len(set(unordered)) < len(unordered):
        raise BenchError("The same two methods are compared twice. Leave one --comparison out.")
    return request.comparisons


def _default_pairs(material: Material) -> tuple[tuple[str, str], ...]:
    """The paper's comparisons if possible; for your own videos, the first method against each other one."""
    possible = tuple(pair for pair in PAPER_COMPARISONS if all(name in material.rows for name in pair))
    own = material.own
    if set(own) <= {name for pair in possible for name in pair} and possible:
        return possible
    if not own:
        rows = ", ".join(sorted(material.rows))
        raise BenchError(
            f"The run has the methods {rows}, which form none of the paper's comparisons. Give --comparison A:B."
        )
    others = [*own[1:], *(name for name in material.rows if name not in (*own, REAL))]
    pairs = [(own[0], other) for other in others] + ([(own[0], REAL)] if material.has_real else [])
    if not pairs:
        raise BenchError(
            f"There is only '{own[0]}' and nothing to compare it with. Give a second NAME=FOLDER, or --real FOLDER."
        )
    return tuple(pairs)


def _checks(request: StudyRequest, scenes: int, notes: list[str]) -> tuple[int, CatchRule]:
    """Number of practice trials that the scenes allow, and the rule on catch trials.

    Raises:
        BenchError: too many catch trials for the scenes, or too few to judge attention and this was not accepted.
    """
    wanted = request.catch if request.catch is not None else CATCH
    practice, catch = request.practice, wanted
    if scenes - min(request.clips, scenes) < practice + wanted:
        # checks share scenes with the trials; raters see a scene at most twice, so reserve most scenes for the trials
        practice, catch = min(practice, scenes // 4), min(wanted, scenes // 4)
    if catch < wanted:
        fewest = min(wanted, smallest_rule().planned)
        left = scenes - request.practice - fewest
        few = f"compare fewer (--clips {left} --catch {fewest}), " if left > 0 else ""
        raise BenchError(
            f"{scenes} clips, {min(request.clips, scenes)} of them compared, are too few for {wanted} catch trials. "
            f"Add clips (at least {4 * wanted} in total), {few}give --catch {catch} with --accept-weak-catch, or "
            "give --catch 0."
        )
    rule = CatchRule(catch, request.catch_pass) if request.catch_pass is not None else strictest_rule(catch)
    if not request.accept_weak_catch:
        rule.check()
    elif rule.is_weak:
        notes.append(f"{rule}.")
    if practice != request.practice:
        notes.append(f"With {scenes} clips, each rater gets {practice} practice trials.")
    return practice, rule
