"""Making a study from run folders: what is compared, checks that it is fair, clips made ready to serve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError, did_you_mean
from bench.runfolder import REAL
from study_app.design import clip_encoding
from study_app.design.catch_rule import CatchRule, strictest_rule
from study_app.design.questions import ALONE, PARTS, SCALE
from study_app.design.schedule import Schedule, capacity, plan
from study_app.design.settings import AS_WISHED, CATCH, WORKLOAD, Settings, Wish, Words
from study_app.locales import words
from study_app.pipeline.clip_preparation import Material, open_runs, prepare, shared_scenes
from study_app.pipeline.registration import register
from study_app.store.store import Store

#: The comparisons of the paper's Tables II and III. Their eight lines need seven comparisons: "MD-GAN over Real" and
#: "Stage II over Real" are the same clips, so the same votes fill both lines.
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
class Made:
    """A study that was made, for the person who made it."""

    name: str
    settings: Settings
    schedule: Schedule
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The study in a sentence."""
        settings = self.settings
        if settings.questions.kind == SCALE:
            return (
                f"Study '{self.name}': {len(settings.comparisons)} systems on a scale, {len(self.schedule.slots)} "
                f"grades wanted, {settings.workload} clips a rater, catch trials {settings.catch_pass} of "
                f"{settings.catch}."
            )
        return (
            f"Study '{self.name}': {len(settings.comparisons)} comparisons, {len(self.schedule.slots)} votes wanted, "
            f"{settings.workload} trials a rater, catch trials {settings.catch_pass} of {settings.catch}."
        )


def create(where: str | Path | None, wish: Wish) -> Made:
    """Make a study in the database `where` (created if need be).

    Raises:
        BenchError: the run folders do not allow the study that is wished for; nothing is written then.
    """
    material = open_runs(wish.runs)
    comparisons = _comparisons(wish, material)
    names = list(dict.fromkeys([REAL, *(name for pair in comparisons for name in pair if name != ALONE)]))
    scenes = shared_scenes(names, material)
    practice, rule = _checks(wish, len(scenes), material.notes)
    draft = Settings(
        name=wish.name,
        run=str(wish.runs[0].resolve()),
        dataset=material.dataset,
        comparisons=comparisons,
        scenes=tuple(scenes),
        clips=min(wish.clips, len(scenes)),
        votes=wish.votes,
        workload=wish.workload if wish.workload is not None else WORKLOAD,
        practice=practice,
        catch=rule.planned,
        catch_pass=rule.needed,
        frames=1,  # these three are known once clips are read
        size=1,
        slot_bytes=1,
        question=_question(wish, wish.question, wish.language),
        consent=wish.consent or default_consent(wish, wish.language),
        consent_version="",
        translations=_translations(wish),
        **{name: getattr(wish, name) for name in AS_WISHED},
    )
    draft.check()
    if wish.clips > len(scenes):
        material.notes.append(f"The run has {len(scenes)} clips that all rows share, so these are compared.")
    schedule = plan(draft, wish.seed)
    most = capacity(schedule)
    if most < 1:
        raise BenchError(
            f"With {practice} practice and {rule.planned} catch trials on {len(scenes)} clips no trial is left that a "
            "rater may see: give a smaller --practice and --catch."
        )
    if wish.workload is not None and wish.workload > most:
        raise BenchError(f"A rater can see {most} trials of this study at most, not {wish.workload}: lower --workload.")
    clips, frames, size = prepare(schedule, names, wish, material)
    longest = max(len(clip.data) for clip in clips.values())
    workload, slot = min(draft.workload, most), clip_encoding.slot_bytes(longest)
    settings = replace(draft, frames=frames, size=size, slot_bytes=slot, workload=workload).with_consent(draft.consent)
    register(Store.migrated(where).add(settings, wish.seed, schedule, clips), "create")
    return Made(settings.name, settings, schedule, tuple(material.notes))


def _translations(wish: Wish) -> tuple[Words, ...]:
    """The translations that are wished for; what they leave out is the language's own text."""
    for said in wish.translations:
        missing = "--question-in" if wish.question and not said.question else ""
        missing = "--consent-in" if wish.consent and not said.consent else missing
        if missing:
            raise BenchError(f"The study's own text needs its like in '{said.language}': give {missing}.")
    return tuple(
        replace(
            said,
            question=_question(wish, said.question, said.language),
            consent=said.consent or default_consent(wish, said.language),
        )
        for said in wish.translations
    )


def _question(wish: Wish, given: str, language: str) -> str:
    """The study's one question in a language, or the first of several."""
    if given and wish.questions.trial:
        raise BenchError("The question is given twice: leave --question out, or [[trial]] in the file of questions.")
    return wish.questions.asked(given or words(language, wish.questions.wording)["question"], language)[0]


def default_consent(wish: Wish, language: str) -> str:
    """A language's own text of the consent page, for what is asked of raters and what is kept of it."""
    said = words(language, wish.questions.wording)
    asks = any(wish.questions.part(part) for part in PARTS)
    more = {"consent_questions": asks, "consent_measured": wish.calibration != "none"}
    return "\n\n".join([said["consent"], *(said[name] for name, applies in more.items() if applies)])


def _comparisons(wish: Wish, material: Material) -> tuple[tuple[str, str], ...]:
    """What is compared; on a scale, each row of it by itself."""
    pairs = _pairs(wish, material)
    if wish.questions.kind == SCALE:
        return tuple((name, ALONE) for name in dict.fromkeys(name for pair in pairs for name in pair))
    return pairs


def _pairs(wish: Wish, material: Material) -> tuple[tuple[str, str], ...]:
    if wish.comparisons is None:
        possible = tuple(pair for pair in PAPER_COMPARISONS if all(name in material.rows for name in pair))
        if not possible:
            rows = ", ".join(sorted(material.rows))
            raise BenchError(f"The run has the rows {rows}, none of the paper's comparisons: give --comparison A:B.")
        return possible
    for pair in wish.comparisons:
        for name in pair:
            if name not in material.rows:
                raise BenchError(f"The run has no row '{name}'.{did_you_mean(name, material.rows)}")
        if pair[0] == pair[1]:
            raise BenchError(f"A comparison needs two different rows, not {pair[0]} twice.")
    unordered = [frozenset(pair) for pair in wish.comparisons]
    if len(set(unordered)) < len(unordered):
        raise BenchError("The same two rows are compared twice: leave one --comparison out.")
    return wish.comparisons


def _checks(wish: Wish, scenes: int, notes: list[str]) -> tuple[int, CatchRule]:
    """Practice trials that the number of scenes allows, and the rule on catch trials.

    Raises:
        BenchError: the catch trials are too many for the scenes, or too few to tell who attends and nobody accepted it.
    """
    asked = wish.catch if wish.catch is not None else CATCH
    practice, catch = wish.practice, asked
    if scenes - min(wish.clips, scenes) < practice + asked:
        # they share scenes with the trials; a rater sees a scene twice at most, so leave most of them to the trials
        practice, catch = min(practice, scenes // 4), min(asked, scenes // 4)
    if catch < asked:
        few = f"--clips {scenes - wish.practice - asked}, " if scenes > wish.practice + asked else ""
        raise BenchError(
            f"{scenes} clips, {min(wish.clips, scenes)} of them compared, are too few for {asked} catch trials: take a "
            f"larger run, or give {few}--catch {catch} with --accept-weak-catch, or --catch 0."
        )
    rule = CatchRule(catch, wish.catch_pass) if wish.catch_pass is not None else strictest_rule(catch)
    if not wish.accept_weak_catch:
        rule.check()
    elif rule.is_weak:
        notes.append(f"{rule}.")
    if practice != wish.practice:
        notes.append(f"With {scenes} clips a rater gets {practice} practice trials.")
    return practice, rule
