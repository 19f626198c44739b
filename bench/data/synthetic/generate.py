"""Synthetic time-lapse sets in the layouts of Sky Time-lapse and Beach, for trying things without a download.

The same seed gives the same pixels on every machine and with any number of workers. The painters use only exactly
rounded arithmetic (see :mod:`bench.data.synthetic.portable_math`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.synthetic.beach import BEACH_SCENES, BeachVideo
from bench.data.synthetic.portable_math import RandomStream
from bench.data.synthetic.sky import SKY_SCENES, SkyVideo
from bench.data.workers import fresh_processes, processors
from bench.errors import BenchError, did_you_mean
from bench.files import disk_error
from bench.progress import task

__all__ = [
    "BEACH_SCENES",
    "SKY_SCENES",
    "SYNTHETIC_VERSION",
    "beach_clip",
    "make_beach",
    "make_sky",
    "sky_clip",
]

SYNTHETIC_VERSION = 1
"""Incremented whenever the same seed gives different pixels than before."""

CLIP_FRAMES = 32
SIZES = (64, 128)

# Half the real sky videos are plain daylight; every kind must appear in a test set of eight.
_SKY_CYCLE = ("day", "dusk", "day", "night", "day", "dusk", "aurora", "day")


@dataclass(frozen=True)
class _SceneCounts:
    """Numbers of videos and clips to paint."""

    train_videos: int
    test_videos: int
    clips_per_video: int


@dataclass(frozen=True)
class _PaintJob:
    """One video to paint: its place in the dataset, its scene and its seed."""

    root: Path
    split: str
    number: int
    scene: str
    seed: int
    size: int
    clips: int


def sky_clip(scene: str, seed: int, size: int, frames: int) -> NDArray[np.uint8]:
    """Return the first ``frames`` frames of a synthetic sky video as uint8 RGB [T, H, W, 3].

    ``scene`` is one of ``SKY_SCENES`` ("day", "dusk", "night", "aurora"); H = W = ``size``.
    A longer clip begins with the frames of the shorter ones.

    Raises:
        BenchError: the scene is unknown, the size is neither 64 nor 128, or ``frames`` is below 1.
    """
    _check_clip(scene, SKY_SCENES, size, frames)
    video = SkyVideo(scene, seed, size)
    return np.stack([video.frame(t) for t in range(frames)])


def beach_clip(scene: str, seed: int, size: int, frames: int) -> NDArray[np.uint8]:
    """Return the first ``frames`` frames of a synthetic shore video as uint8 RGB [T, H, W, 3].

    ``scene`` is one of ``BEACH_SCENES`` ("midday", "overcast", "golden"); H = W = ``size``.
    A longer clip begins with the frames of the shorter ones.

    Raises:
        BenchError: the scene is unknown, the size is neither 64 nor 128, or ``frames`` is below 1.
    """
    _check_clip(scene, BEACH_SCENES, size, frames)
    video = BeachVideo(scene, seed, size)
    return np.stack([video.frame(t) for t in range(frames)])


def make_sky(
    root: Path,
    *,
    size: int = 64,
    train_videos: int = 24,
    test_videos: int = 8,
    clips_per_video: int = 2,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Write a synthetic set in Sky Time-lapse's layout, completely or not at all.

    Files are ``root/sky_train/<long>/<short>/<long>_frames_00000001.jpg`` and so on, and likewise in ``sky_test``.
    Each video contains ``clips_per_video`` × 32 consecutive square frames of ``size`` pixels. No long video is
    in both splits.

    ``progress`` is called with the number of clips just written. ``workers`` processes paint (None: one for each
    processor that this process may use); their number does not change a byte of the result. With more than one, a
    script must guard its entry point with ``if __name__ == "__main__"``, as always with multiprocessing.

    Raises:
        BenchError: ``root`` exists and is not an empty folder, or cannot be written; the size is neither 64 nor 128; a
            count is below 1; or the script lacks that guard.
    """
    _make("sky", root, size, _SceneCounts(train_videos, test_videos, clips_per_video), seed, progress, workers)


def make_beach(
    root: Path,
    *,
    size: int = 64,
    train_videos: int = 24,
    test_videos: int = 8,
    clips_per_video: int = 2,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Write a synthetic set in Beach's layout, completely or not at all.

    Files are ``root/frames-stable-many/<place>/<NNNN>_<offset>.jpg``: vertical strips of 32 square frames,
    where NNNN is the source video and offset (0, 32, ...) its first frame. ``root/beach_train.txt`` and
    ``beach_test.txt`` list them, one path below ``frames-stable-many`` per line; no source video is in both.
    Parameters and errors are the same as for :func:`make_sky`.
    """
    _make("beach", root, size, _SceneCounts(train_videos, test_videos, clips_per_video), seed, progress, workers)


def _check_clip(scene: str, scenes: tuple[str, ...], size: int, frames: int) -> None:
    if scene not in scenes:
        raise BenchError(f"Unknown synthetic scene '{scene}'.{did_you_mean(scene, scenes)}")
    if frames < 1:
        raise BenchError(f"A synthetic clip needs at least 1 frame, not {frames}.")
    _check_size(size)


def _check_size(size: int) -> None:
    if size not in SIZES:
        raise BenchError(f"Synthetic frames are 64 or 128 pixels wide, not {size}: choose one of these sizes.")


def _make(
    dataset: str,
    root: Path,
    size: int,
    counts: _SceneCounts,
    seed: int,
    progress: Callable[[int], None] | None,
    workers: int | None,
) -> None:
    _check_size(size)
    for name, count in asdict(counts).items():
        if count < 1:
            raise BenchError(f"{name} must be at least 1, not {count}.")
    if workers is not None and workers < 1:
        raise BenchError(f"workers must be at least 1, not {workers}: leave it out to use every processor.")
    with _new_folder(Path(root)) as folder:
        jobs = _jobs(dataset, folder, size, counts, seed)
        paint = _write_sky if dataset == "sky" else _write_beach
        written: dict[int, list[str]] = {}
        for number, files in _run(paint, jobs, workers or processors()):
            written[number] = files
            if progress is not None:
                progress(counts.clips_per_video)
        if dataset == "beach":
            for split in ("train", "test"):
                lines = [line for job in jobs if job.split == split for line in written[job.number]]
                _write_text(folder / f"beach_{split}.txt", "".join(f"{line}\n" for line in lines))
        facts = {
            "synthetic": True,
            "dataset": dataset,
            "version": SYNTHETIC_VERSION,
            "seed": seed,
            "size": size,
            **asdict(counts),
            "train_clips": counts.train_videos * counts.clips_per_video,
            "test_clips": counts.test_videos * counts.clips_per_video,
            "frames_per_clip": CLIP_FRAMES,
        }
        _write_text(folder / "synthetic.json", json.dumps(facts, indent=2) + "\n")
        _write_text(folder / "README.txt", _readme(facts))


def _readme(facts: dict[str, Any]) -> str:
    return (
        f"Synthetic stand-in for the {facts['dataset']} data set: painted by a program, not filmed.\n"
        "Good for trying the software out; scores on it say nothing about real videos.\n\n"
        f"Generator version {facts['version']}, seed {facts['seed']}, {facts['size']}x{facts['size']},\n"
        f"{facts['train_clips']} training and {facts['test_clips']} test clips of {CLIP_FRAMES} frames.\n"
    )


def _jobs(dataset: str, folder: Path, size: int, counts: _SceneCounts, seed: int) -> list[_PaintJob]:
    """Return one job per video; numbers continue from training to test, so that no name is in both."""
    scenes = _SKY_CYCLE if dataset == "sky" else BEACH_SCENES
    jobs = []
    for split, first, count in (("train", 0, counts.train_videos), ("test", counts.train_videos, counts.test_videos)):
        for k in range(count):
            scene = scenes[k % len(scenes)]
            # Keyed by split and position in it: a larger training set leaves the test set unchanged.
            video_seed = RandomStream(dataset, seed, split, k).bits()
            jobs.append(_PaintJob(folder, split, first + k, scene, video_seed, size, counts.clips_per_video))
    return jobs


def _run(
    paint: Callable[[_PaintJob], list[str]], jobs: list[_PaintJob], workers: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield each job's number and its files as soon as it is done, in any order."""
    workers = min(workers, len(jobs))
    if workers == 1:
        for job in jobs:
            yield job.number, paint(job)
        return
    with fresh_processes(workers) as pool:
        futures = {pool.submit(paint, job): job.number for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _write_sky(job: _PaintJob) -> list[str]:
    name = f"{job.scene}{job.number:04d}"
    folder = job.root / f"sky_{job.split}" / name / f"{name}_1"
    folder.mkdir(parents=True)
    video = SkyVideo(job.scene, job.seed, job.size)
    for time in range(job.clips * CLIP_FRAMES):
        _save(video.frame(time), folder / f"{name}_frames_{time + 1:08d}.jpg")
    return [folder.relative_to(job.root).as_posix()]


def _write_beach(job: _PaintJob) -> list[str]:
    place = job.root / "frames-stable-many" / job.scene
    place.mkdir(parents=True, exist_ok=True)
    video = BeachVideo(job.scene, job.seed, job.size)
    files = []
    for clip in range(job.clips):
        start = clip * CLIP_FRAMES
        strip = np.concatenate([video.frame(start + t) for t in range(CLIP_FRAMES)])
        name = f"{job.number:04d}_{start}.jpg"
        _save(strip, place / name)
        files.append(f"{job.scene}/{name}")
    return files


def _save(image: NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(image).save(path, "JPEG", quality=95, subsampling=0)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def _new_folder(root: Path) -> Iterator[Path]:
    """Provide a working folder next to ``root`` that becomes ``root`` on success and is removed on failure."""
    if root.is_dir():
        if any(root.iterdir()):
            raise BenchError(f"The folder {root} is not empty: choose another one, or remove it first.")
    elif root.exists() or root.is_symlink():
        raise BenchError(f"{root} exists and is not a folder: choose another folder for the synthetic dataset.")
    working = root.absolute().with_name(f".{root.absolute().name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        yield working
        if root.is_dir():
            root.rmdir()  # empty, as checked above; a rename onto a folder fails on some systems
        working.replace(root.absolute())
    except OSError as error:
        raise BenchError(
            f"The synthetic dataset could not be written to {root} ({error.strerror or error}): "
            "check the free space and the folder's permissions, or choose another folder."
        ) from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


SCENES: dict[str, Callable[..., None]] = {"sky": make_sky, "beach": make_beach}


def make(
    scene: str,
    root: Path,
    *,
    size: int = 64,
    train_videos: int = 24,
    test_videos: int = 8,
    clips_per_video: int = 2,
    seed: int = 0,
) -> None:
    """Write the scenes of one kind into a new folder, with a progress bar.

    Raises:
        BenchError: the scenes are unknown, the size is not 64 or 128, the folder is not empty, or the disk is full.
    """
    if scene not in SCENES:
        raise BenchError(f"Unknown synthetic scenes '{scene}'.{did_you_mean(scene, SCENES)}")
    counts = {"train_videos": train_videos, "test_videos": test_videos, "clips_per_video": clips_per_video}
    try:
        with task(f"painting synthetic {scene} clips", (train_videos + test_videos) * clips_per_video) as progress:
            SCENES[scene](root, size=size, seed=seed, progress=progress.advance, **counts)
    except OSError as error:
        raise disk_error(error, root) from error
