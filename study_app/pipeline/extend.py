"""Adding votes or clips to a study that exists; what was planned and registered before stays as it is."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.runfolder import REAL
from study_app.design import clip_encoding
from study_app.design.questions import ALONE
from study_app.design.schedule import Addition, Schedule, extended, shuffled
from study_app.design.settings import Settings, Wish
from study_app.pipeline.clip_preparation import Material, open_runs, prepare, shared_scenes
from study_app.pipeline.registration import register
from study_app.store.clips import Clips
from study_app.store.schedule_rows import Extended
from study_app.store.store import Store
from study_app.store.study import OpenStudy


def extend(where: str | Path | None, name: str | None, wish: Wish) -> str:
    """Add `wish.votes` votes to every pair and `wish.clips` clips of `wish.runs` to every comparison; says what it did.

    Of the wish, votes, clips, runs, seed, size and accept_first_frames are heeded.

    Raises:
        BenchError: nothing is wished for, the study is closed, or the clips do not go with those that it has.
    """
    study = Store(where).open(name)
    if wish.votes < 0 or (not wish.votes and not wish.runs):
        raise BenchError("Say what is to be added: --votes for every pair, or --run with further clips.")
    if study.state() == "closed":
        raise BenchError(f"The study '{study.name}' is closed: `bench study reopen` it first.")
    register(study, "extend")  # a study that was made before there was a registration
    material = open_runs(wish.runs) if wish.runs else Material({}, {}, "")
    scenes = _new_scenes(study, wish, material) if wish.runs else ()
    added = Addition(wish.seed, wish.votes, scenes)
    before = study.schedule()
    after = extended(before, study.settings.comparisons, added)
    new = Schedule(after.trials[len(before.trials) :], (), (), ())
    clips = _clips(new, study.settings, wish, material) if scenes else {}
    longest = clip_encoding.slot_bytes(max((len(clip.data) for clip in clips.values()), default=0))
    study.extend(Extended(added, before, after, clips, longest), "extend")
    made = register(study, "extend")
    told = (
        f"Added {len(after.slots) - len(before.slots)} votes to the study '{study.name}': it wants {len(after.slots)}."
    )
    return "\n".join([*material.notes, f"{told} Its registration now has the hash {made.sha256}."])


def _new_scenes(study: OpenStudy, wish: Wish, material: Material) -> tuple[str, ...]:
    """Clips of the runs that the study has not, as many as are wished for, drawn by the seed."""
    names = _rows(study.settings)
    for row in names:
        if row not in material.rows:
            raise BenchError(f"The runs have no row '{row}', which the study compares: give one that has.")
    shown = {(system, scene): source for system, scene, source, _ in study.clip_hashes()}
    known, sources = {scene for _, scene in shown}, {(system, source) for (system, _), source in shown.items()}
    new = [scene for scene in shared_scenes(names, material) if scene not in known]
    twice = [scene for scene in new for row in names if (row, material.rows[row].sha256(scene)) in sources]
    if twice:
        raise BenchError(f"The clip {twice[0]} is in the study already under another name: give other clips.")
    if not new:
        raise BenchError("The runs have no clip that the study has not: give one with further clips.")
    if wish.clips < len(new):
        return tuple(sorted(shuffled(new, wish.seed, "added scenes")[: wish.clips]))
    if wish.clips > len(new) and wish.clips != Wish.clips:
        material.notes.append(f"The runs have {len(new)} clips that the study has not, so these are added.")
    return tuple(new)


def _rows(settings: Settings) -> list[str]:
    return list(dict.fromkeys(name for pair in settings.comparisons for name in pair if name != ALONE))


def _clips(new: Schedule, settings: Settings, wish: Wish, material: Material) -> Clips:
    """The new clips, ready to serve; a `BenchError` unless they look like those that the study has."""
    names = list(dict.fromkeys([REAL, *_rows(settings)]))
    clips, frames, size = prepare(new, names, wish, material)
    if (frames, size) != (settings.frames, settings.size):
        raise BenchError(
            f"The new clips have {frames} frames of {size}×{size} and those of the study {settings.frames} of "
            f"{settings.size}×{settings.size}: clips of a study must be alike (see --size)."
        )
    return clips
