"""Adding votes or clips to an existing study; earlier plans and registrations remain unchanged."""

from __future__ import annotations

from bench.errors import BenchError
from bench.runfolder import REAL
from study_app.design.schedule import Addition, Schedule, extended_schedule, shuffled
from study_app.design.settings import StudyRequest, StudySettings
from study_app.pipeline.clip_preparation import message_slot, prepare
from study_app.pipeline.material import Material, open_material, shared_scenes
from study_app.pipeline.registration import register
from study_app.store.clips import Clips
from study_app.store.schedule_rows import Extended
from study_app.store.study import OpenStudy


def extend(study: OpenStudy, request: StudyRequest) -> str:
    """Add the requested votes to every pair and the requested clips to every comparison; returns a summary in words.

    Only votes, clips, runs, folders, real, seed, size and accept_first_frames of the request are used.

    Raises:
        BenchError: nothing is requested, the study is closed, or the clips do not match the existing ones.
    """
    request = request.with_seed()
    sources = bool(request.runs or request.folders)
    if request.votes < 0 or not (request.votes or sources):
        raise BenchError(
            "There is nothing to add. Give --votes for every pair, or more clips with --run or NAME=FOLDER."
        )
    if study.state() == "closed":
        raise BenchError(f"The study '{study.name}' is closed. Run `bench study reopen` first.")
    register(study, "extend")  # needed if creation was killed before registration, or for a pilot
    material = open_material(request.runs, request.folders, request.real) if sources else Material({}, {}, "")
    scenes = _new_scenes(study, request, material) if sources else ()
    added = Addition(request.drawn_seed, request.votes, scenes)
    before = study.schedule()
    after = extended_schedule(before, study.settings.comparisons, added)
    _check_looks(study, len(after.slots))
    new = Schedule(after.trials[len(before.trials) :], (), (), ())
    clips = _clips(new, study.settings, request, material) if scenes else {}
    longest = message_slot(new, clips)
    study.extend(Extended(added, before, after, clips, longest), "extend")
    made = register(study, "extend")
    summary = (
        f"Added {len(after.slots) - len(before.slots)} votes to the study '{study.name}', which now needs "
        f"{len(after.slots)}."
    )
    return "\n".join([*material.notes, f"{summary} Its registration now has the hash {made.sha256}."])


def _check_looks(study: OpenStudy, slots: int) -> None:
    """Raise a `BenchError` if looks were planned and this look, or its number of votes, exceeds the plan."""
    looks, extensions = study.settings.looks, study.extensions()
    if looks == 1:
        return
    first = extensions[0].slots_before if extensions else len(study.schedule().slots)
    if len(extensions) + 2 > looks or slots > looks * first:
        raise BenchError(
            f"The study '{study.name}' has {looks} planned looks of {first} votes each, and would have {slots} votes "
            f"at look {len(extensions) + 2}. Add no more than was registered, or create another study."
        )


def _new_scenes(study: OpenStudy, request: StudyRequest, material: Material) -> tuple[str, ...]:
    """Clips of the runs that are new to the study: the requested number, drawn with the seed."""
    names = list(dict.fromkeys([*([REAL] if study.settings.has_real else []), *study.settings.systems]))
    for row in names:
        if row not in material.rows:
            raise BenchError(f"The runs do not contain '{row}', which the study compares. Give a run that contains it.")
    shown = {(system, scene): source for system, scene, source, _ in study.clip_hashes()}
    known, sources = {scene for _, scene in shown}, {(system, source) for (system, _), source in shown.items()}
    new = [scene for scene in shared_scenes(names, material) if scene not in known]
    twice = [scene for scene in new for row in names if (row, material.rows[row].sha256(scene)) in sources]
    if twice:
        raise BenchError(f"The clip {twice[0]} is already in the study under another name. Give other clips.")
    if not new:
        raise BenchError("The runs contain no clips that are new to the study. Give a run with more clips.")
    if request.clips < len(new):
        return tuple(sorted(shuffled(new, request.drawn_seed, "added scenes")[: request.clips]))
    if request.clips > len(new) and request.clips != StudyRequest.clips:
        material.notes.append(f"The runs have {len(new)} clips that are new to the study; all of these are added.")
    return tuple(new)


def _clips(new: Schedule, settings: StudySettings, request: StudyRequest, material: Material) -> Clips:
    """The new clips, prepared for serving; a `BenchError` if their shape differs from the study's."""
    names = list(dict.fromkeys([*([REAL] if settings.has_real else []), *settings.systems]))
    clips, (frames, height, width) = prepare(new, names, request, material)
    if (frames, height, width) != (settings.frames, settings.size, settings.width or settings.size):
        raise BenchError(
            f"The new clips have {frames} frames of {width}×{height} and those of the study {settings.frames} of "
            f"{settings.width or settings.size}×{settings.size}. Clips of a study must match (see --size)."
        )
    return clips
