"""Making a study from run folders: what is compared, checks that it is fair, clips made ready to serve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.data.predictions import Predictions
from bench.data.video import Frames
from bench.errors import BenchError, did_you_mean
from bench.files import read_json
from bench.progress import task
from bench.runfolder import REAL, RunFolder
from study_app.design import altered, media
from study_app.design.catch import CatchRule, strictest_rule
from study_app.design.questions import ALONE, PARTS, SCALE, TIE
from study_app.design.schedule import SCRAMBLED, Schedule, capacity, plan
from study_app.design.settings import AS_WISHED, CATCH, WORKLOAD, Settings, Wish, Words
from study_app.registration import register
from study_app.store.store import Store
from study_app.store.writing import EncodedClip
from study_app.texts import words

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
#: First frames farther from the real one than this, in dB, are listed and must be accepted.
FIRST_FRAME_DB = 20.0
#: Clips encoded at once; the encoder works outside Python's lock.
WORKERS = 4


@dataclass
class Material:
    """The rows of the run folders, and what each scene's video is called."""

    rows: dict[str, Predictions]
    videos: dict[str, str]
    dataset: str
    notes: list[str] = field(default_factory=list)


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
    workload, slot = min(draft.workload, most), media.slot_bytes(longest)
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


def open_runs(runs: Sequence[Path]) -> Material:
    """The rows of run folders, joined; a `BenchError` where they do not fit together."""
    if not runs:
        raise BenchError("A study is made from a run folder: give --run.")
    rows: dict[str, Predictions] = {}
    material = Material(rows, {}, "")
    for run in runs:
        folder = RunFolder(run).all_predictions
        if not folder.is_dir():
            raise BenchError(f"The run folder {run} has no predictions: `bench run` or `bench generate` makes them.")
        for path in sorted(folder.iterdir()):
            # folders with @ in their name are further seeds of the same row
            if not path.is_dir() or "@" in path.name or path.name.startswith("."):
                continue
            if path.name == REAL and REAL in rows:
                _check_same_real(rows[REAL], Predictions(path))
                continue
            if path.name in rows or path.name in (SCRAMBLED, ALONE, TIE, *altered.WAYS):
                raise BenchError(f"The row {path.name} of {run} needs another name: that one is taken.")
            rows[path.name] = Predictions(path)
        _read_clips(run, material)
    if REAL not in rows:
        raise BenchError(
            f"The run folder {runs[0]} has no real clips at predictions/{REAL}: generate it again with this version."
        )
    return material


def _check_same_real(one: Predictions, other: Predictions) -> None:
    differing = [id for id in other.ids if id not in one.ids or one.sha256(id) != other.sha256(id)]
    if differing:
        raise BenchError(f"The run folders hold different real clips ({differing[0]}): compare runs of the same data.")


def _read_clips(run: Path, material: Material) -> None:
    path = RunFolder(run).clips
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                clip = json.loads(line) if line.strip() else {}
            except json.JSONDecodeError as error:
                raise BenchError(f"{path} is not valid JSON lines ({error}).") from error
            if "id" in clip:
                material.videos[clip["id"]] = str(clip.get("video", clip["id"]))
    account = RunFolder(run).account
    if account.exists() and not material.dataset:
        material.dataset = str(read_json(account).get("config", {}).get("dataset", ""))


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


def shared_scenes(names: Sequence[str], material: Material) -> list[str]:
    """Clip ids that all rows of these names have; a `BenchError` where one misses some."""
    scenes = material.rows[REAL].ids
    for name in names:
        missing = sorted(set(scenes) - set(material.rows[name].ids))
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise BenchError(
                f"The row {name} has no video of the clip {missing[0]}{more}, so its pairs would miss a side: generate "
                "it again, or choose comparisons without it."
            )
    return scenes


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


def prepare(
    schedule: Schedule, names: Sequence[str], wish: Wish, material: Material
) -> tuple[dict[tuple[str, str], EncodedClip], int, int]:
    """Read, check and encode every clip that the schedule shows; returns them with their frame count and size."""
    pairs = {*schedule.trials, *schedule.practice, *schedule.catch}
    wanted: dict[str, list[str]] = {}
    for pair in sorted(pairs, key=lambda p: (p.scene, p.first, p.second)):
        wanted.setdefault(pair.scene, []).extend(name for name in (pair.first, pair.second) if name != ALONE)
    rates = {name: _stated_rate(material.rows[name]) for name in names}
    stated = {name: rate for name, rate in rates.items() if rate is not None}
    if len(set(stated.values())) > 1:
        raise BenchError(f"The rows state different rates ({stated}), so they would not move alike: make them again.")
    raw: dict[tuple[str, str], Future[bytes]] = {}
    told: dict[tuple[str, str], tuple[str, str]] = {}
    shape: tuple[int, ...] | None = None
    weak: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool, task("Preparing clips", len(wanted)) as progress:
        for scene, systems in wanted.items():
            real = _shown(material.rows[REAL], scene, wish.size)
            shape = shape or real.shape
            for name in dict.fromkeys(systems):
                if name in altered.WAYS:
                    clip, source = altered.alter(name, real, np.random.default_rng(_number(wish.seed, name, scene))), ""
                else:
                    clip = real if name == REAL else _shown(material.rows[name], scene, wish.size)
                    source = material.rows[name].sha256(scene)
                _check_shape(name, scene, clip.shape, shape)
                if (db := media.first_frame_psnr(clip, real)) < FIRST_FRAME_DB:
                    weak.append(f"{name} {scene} ({db:.1f} dB)")
                told[name, scene] = (material.videos.get(scene, scene), source)
                raw[name, scene] = pool.submit(media.encode, clip)
            for name in dict.fromkeys(systems):
                raw[name, scene].result()  # holds no more than one scene's frames in memory
            progress.advance()
    clips = {key: EncodedClip(*told[key], encoded.result()) for key, encoded in raw.items()}
    # where a trial shows one clip, no bytes stand for the other
    clips |= {(ALONE, pair.scene): EncodedClip(pair.scene, "", b"") for pair in pairs if pair.second == ALONE}
    if weak:
        listed = ", ".join(weak[:10]) + (f" and {len(weak) - 10} more" if len(weak) > 10 else "")
        said = f"{len(weak)} clips begin with a first frame below {FIRST_FRAME_DB:g} dB of the real one: {listed}."
        if not wish.accept_first_frames:
            raise BenchError(f"{said} Pairs should start alike; if they are meant, give --accept-first-frames.")
        material.notes.append(said)
    assert shape is not None
    return clips, shape[0], shape[1]


def _check_shape(name: str, scene: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise BenchError(
            f"The clip {scene} of {name} has {shape[0]} frames of {shape[2]}×{shape[1]} and not {wanted[0]} of "
            f"{wanted[2]}×{wanted[1]}: clips of a pair must be alike (see --size)."
        )


def _number(seed: int, name: str, scene: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{scene}".encode()).digest()[:8])


def _shown(row: Predictions, scene: str, size: int | None) -> Frames:
    clip = row.read(scene)
    return clip if size is None else media.shrink(clip, size)


def _stated_rate(row: Predictions) -> float | None:
    rate = row.manifest.get("made_by", {}).get("rate")
    return None if rate is None else float(rate)
