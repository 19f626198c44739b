"""The clips of a study: read from run folders, checked, encoded for the browser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.data.predictions import Predictions
from bench.data.readers.video import Frames
from bench.errors import BenchError
from bench.files import read_json
from bench.progress import task
from bench.runfolder import REAL, RunFolder
from bench.scoring.row_notes import FIRST_FRAME_DB, first_frame_psnr
from study_app.design import catch_clips, clip_encoding
from study_app.design.questions import ALONE, TIE
from study_app.design.schedule import Schedule
from study_app.design.settings import StudyRequest
from study_app.store.clips import EncodedClip

#: Clips encoded at once; the encoder works outside Python's lock.
WORKERS = 4


@dataclass
class Material:
    """The rows of the run folders, and what each scene's video is called."""

    rows: dict[str, Predictions]
    videos: dict[str, str]
    dataset: str
    notes: list[str] = field(default_factory=list)


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
            if path.name in rows or path.name in (ALONE, TIE, *catch_clips.WAYS):
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


def prepare(
    schedule: Schedule, names: Sequence[str], request: StudyRequest, material: Material
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
    origins: dict[tuple[str, str], tuple[str, str]] = {}
    shape: tuple[int, ...] | None = None
    weak: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool, task("Preparing clips", len(wanted)) as progress:
        for scene, systems in wanted.items():
            real = _shown(material.rows[REAL], scene, request.size)
            shape = shape or real.shape
            for name in dict.fromkeys(systems):
                if name in catch_clips.WAYS:
                    clip, source = (
                        catch_clips.alter(name, real, np.random.default_rng(_number(request.drawn_seed, name, scene))),
                        "",
                    )
                else:
                    clip = real if name == REAL else _shown(material.rows[name], scene, request.size)
                    source = material.rows[name].sha256(scene)
                _check_shape(name, scene, clip.shape, shape)
                if (db := first_frame_psnr(clip, real)) < FIRST_FRAME_DB:
                    weak.append(f"{name} {scene} ({db:.1f} dB)")
                origins[name, scene] = (material.videos.get(scene, scene), source)
                raw[name, scene] = pool.submit(clip_encoding.encode, clip)
            for name in dict.fromkeys(systems):
                raw[name, scene].result()  # holds no more than one scene's frames in memory
            progress.advance()
    clips = {key: EncodedClip(*origins[key], encoded.result()) for key, encoded in raw.items()}
    # where a trial shows one clip, no bytes stand for the other
    clips |= {(ALONE, pair.scene): EncodedClip(pair.scene, "", b"") for pair in pairs if pair.second == ALONE}
    if weak:
        listed = ", ".join(weak[:10]) + (f" and {len(weak) - 10} more" if len(weak) > 10 else "")
        warning = f"{len(weak)} clips begin with a first frame below {FIRST_FRAME_DB:g} dB of the real one: {listed}."
        if not request.accept_first_frames:
            raise BenchError(f"{warning} Pairs should start alike; if they are meant, give --accept-first-frames.")
        material.notes.append(warning)
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
    return clip if size is None else clip_encoding.shrink(clip, size)


def _stated_rate(row: Predictions) -> float | None:
    rate = row.manifest.get("made_by", {}).get("rate")
    return None if rate is None else float(rate)
