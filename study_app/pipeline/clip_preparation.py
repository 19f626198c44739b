"""Preparation of a study's clips: read, check, and encode for the browser."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import av
import numpy as np

from bench.data.predictions import Predictions
from bench.data.readers.video import VIDEOS, Frames
from bench.errors import BenchError
from bench.progress import task
from bench.runfolder import REAL
from bench.scoring.row_notes import FIRST_FRAME_DB, first_frame_psnr
from study_app.design import catch_clips, clip_encoding
from study_app.design.questions import ALONE
from study_app.design.schedule import Schedule
from study_app.design.settings import StudyRequest
from study_app.pipeline.material import Material
from study_app.store.clips import Clips, EncodedClip

#: Number of clips encoded in parallel; threads suffice because the encoder releases Python's lock.
WORKERS = 4


def prepare(
    schedule: Schedule, names: Sequence[str], request: StudyRequest, material: Material
) -> tuple[dict[tuple[str, str], EncodedClip], tuple[int, int, int]]:
    """Read, check and encode every clip that the schedule shows; returns them with their frames, height and width.

    All clips must begin with the same frame as those of the first of `names`, which are the real clips if they exist.
    """
    pairs = {*schedule.trials, *schedule.practice, *schedule.catch}
    altered = {(pair.second, pair.scene): pair.first for pair in pairs if pair.second in catch_clips.WAYS}
    wanted: dict[str, list[str]] = {}
    for pair in sorted(pairs, key=lambda p: (p.scene, p.first, p.second)):
        wanted.setdefault(pair.scene, []).extend(name for name in (pair.first, pair.second) if name != ALONE)
    _check_rates(material, names)
    material.notes += _rate_notes(material, names, request.rate)
    raw: dict[tuple[str, str], Future[bytes]] = {}
    origins: dict[tuple[str, str], tuple[str, str]] = {}
    shape: tuple[int, ...] | None = None
    weak: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool, task("Preparing clips", len(wanted)) as progress:
        for scene, systems in wanted.items():
            known = {names[0]: _shown(material.rows[names[0]], scene, request.size)}
            reference = known[names[0]]
            shape = shape or reference.shape
            for name in dict.fromkeys(systems):
                whole = altered.get((name, scene), names[0]) if name in catch_clips.WAYS else name
                if whole not in known:
                    known[whole] = _shown(material.rows[whole], scene, request.size)
                clip, source = known[whole], "" if whole != name else material.rows[name].sha256(scene)
                if whole != name:
                    rng = np.random.default_rng(_number(request.drawn_seed, name, scene))
                    clip = catch_clips.alter(name, clip, rng)
                _check_shape(name, scene, clip.shape, shape)
                if (db := first_frame_psnr(clip, reference)) < FIRST_FRAME_DB:
                    weak.append(f"{name} {scene} ({db:.1f} dB)")
                origins[name, scene] = (material.videos.get(scene, scene), source)
                raw[name, scene] = pool.submit(clip_encoding.encode, clip)
            for name in dict.fromkeys(systems):
                raw[name, scene].result()  # wait, to keep only one scene's frames in memory
            progress.advance()
    clips = {key: EncodedClip(*origins[key], encoded.result()) for key, encoded in raw.items()}
    # if a trial shows a single clip, the other one is empty
    clips |= {(ALONE, pair.scene): EncodedClip(pair.scene, "", b"") for pair in pairs if pair.second == ALONE}
    if weak:
        material.notes.append(_first_frames(weak, names[0], request.accept_first_frames))
    assert shape is not None
    return clips, (shape[0], shape[1], shape[2])


def message_slot(schedule: Schedule, clips: Clips) -> int:
    """Half the message length, in bytes, that is sufficient for every pair of a schedule."""
    pairs = [pair for pair in {*schedule.trials, *schedule.practice, *schedule.catch} if pair.second != ALONE]
    both = [(clips[pair.first, pair.scene].data, clips[pair.second, pair.scene].data) for pair in pairs]
    with ThreadPoolExecutor(WORKERS) as pool, task("Measuring pairs", len(both)) as progress:
        longest = 0
        for length in pool.map(lambda pair: clip_encoding.pair_bytes(*pair), both):
            longest = max(longest, length)
            progress.advance()
    return clip_encoding.slot_bytes(max((len(clip.data) for clip in clips.values()), default=0), longest)


def _first_frames(weak: list[str], reference: str, accepted: bool) -> str:
    """Warning about clips whose first frame differs from `reference`; a `BenchError` unless this is accepted."""
    listed = ", ".join(weak[:10]) + (f" and {len(weak) - 10} more" if len(weak) > 10 else "")
    whose = "the real one" if reference == REAL else f"that of {reference}"
    warning = (
        f"{len(weak)} clips have a first frame that differs from {whose} (PSNR below {FIRST_FRAME_DB:g} dB): {listed}."
    )
    if not accepted:
        raise BenchError(
            f"{warning} Pairs should start with the same frame. If the difference is intended, give "
            "--accept-first-frames."
        )
    return warning


def _check_rates(material: Material, names: Sequence[str]) -> None:
    rates = {name: _stated_rate(material.rows[name]) for name in names}
    stated = {name: rate for name, rate in rates.items() if rate is not None}
    if len(set(stated.values())) > 1:
        raise BenchError(
            f"The methods have different frame rates ({stated}), so they would move at different speeds. "
            "Generate them again."
        )


def _rate_notes(material: Material, names: Sequence[str], rate: float) -> list[str]:
    """Notes about video files whose frame rate differs from the study's."""
    own = {name: found for name in names if (found := _file_rate(material.rows[name])) and round(found, 2) != rate}
    if not own:
        return []
    listed = ", ".join(f"{name} {found:g}" for name, found in own.items())
    return [
        f"Raters see {rate:g} frames per second, but the video files have other rates ({listed}). To change "
        "this, use --rate."
    ]


def _file_rate(row: Predictions) -> float | None:
    """Frame rate of a method's first video file; None for frames and strips, which do not store one."""
    path = row.path(row.ids[0])
    if path.suffix.lower() not in VIDEOS:
        return None
    with contextlib.suppress(OSError, av.FFmpegError), av.open(path) as container:
        if container.streams.video and (rate := container.streams.video[0].average_rate):
            return float(rate)
    return None


def _check_shape(name: str, scene: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise BenchError(
            f"The clip {scene} of {name} has {shape[0]} frames of {shape[2]}×{shape[1]} and not {wanted[0]} of "
            f"{wanted[2]}×{wanted[1]}. Clips of a pair must match (see --size)."
        )


def _number(seed: int, name: str, scene: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{scene}".encode()).digest()[:8])


def _shown(row: Predictions, scene: str, size: int | None) -> Frames:
    clip = row.read(scene)
    return clip if size is None else clip_encoding.shrink(clip, size)


def _stated_rate(row: Predictions) -> float | None:
    rate = row.manifest.get("made_by", {}).get("rate")
    return None if rate is None else float(rate)
