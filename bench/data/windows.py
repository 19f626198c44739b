"""Windows of whole videos: which frames of the real videos are compared if sets are not paired."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data.clips import Clip, by_hash, hashed, listing_of
from bench.data.predictions import Predictions
from bench.data.readers.video import images_in
from bench.data.workers import processors
from bench.errors import BenchError
from bench.progress import task


@dataclass(frozen=True)
class WholeVideo:
    """A file or frame folder as one clip of all its frames, and their number."""

    clip: Clip
    frames: int


def folder_videos(folder: Path) -> list[WholeVideo]:
    """List the videos of a folder, of any length, each a separate source video.

    Raises:
        BenchError: the folder has no videos, or a video cannot be read.
    """
    videos, found = Predictions(folder), []
    with task("reading the reference", len(videos.ids)) as progress:
        for id in videos.ids:
            path = videos.path(id)
            names = "/".join(images_in(path)) if path.is_dir() else ""
            clip = Clip(id, id, "test", path.relative_to(folder).as_posix(), names=names)
            found.append(WholeVideo(clip, videos.length(id)))
            progress.advance()
    return found


def dataset_videos(dataset: str, root: Path, splits: Sequence[str], frames: int) -> list[WholeVideo]:
    """List the videos of a dataset, assembled from its clips of a given length.

    Frames after a video's last complete clip are not available.

    Raises:
        BenchError: a file cannot be used, or no video has that many frames.
    """
    listing = listing_of(dataset, root, splits, frames)
    if listing.errors:
        raise BenchError(listing.errors[0])
    by_path: dict[str, list[Clip]] = {}
    for clip in listing.clips:
        by_path.setdefault(clip.path, []).append(clip)
    if not by_path:
        raise BenchError(f"The dataset {dataset} in {root} has no video of {frames} frames or more.")
    found = []
    for clips in by_path.values():
        clips.sort(key=lambda clip: clip.start)
        whole = replace(clips[0], id=clips[0].id.rpartition("__")[0], names="/".join(c.names for c in clips if c.names))
        found.append(WholeVideo(whole, frames * len(clips)))
    return sorted(found, key=lambda video: video.clip.id)


def windows(videos: Sequence[WholeVideo], span: int, per_video: int, draw: int | None) -> list[Clip]:
    """Choose windows of consecutive frames from each video, in the order of the videos.

    Args:
        videos: videos with at least `span` frames each.
        span: frames per window.
        per_video: windows per video; 0 for as many as fit without overlap. A video too short for this has fewer.
        draw: number that is hashed with the video's ID to draw windows, which may overlap; None for the first windows,
            one after another.
    """
    found = []
    for video in videos:
        fitting = video.frames // span
        count = min(per_video or fitting, fitting)
        starts = [number * span for number in range(count)]
        if draw is not None:
            starts = sorted({_drawn(video, span, number, draw) for number in range(count)})
        found += [_window(video.clip, start, span) for start in starts]
    return found


def _drawn(video: WholeVideo, span: int, number: int, draw: int) -> int:
    """First frame of a window, determined by the video's ID, the window's number and the draw."""
    text = f"window {video.clip.id}" + (f" {number} {draw}" if number or draw else "")
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % (video.frames - span + 1)


def _window(clip: Clip, start: int, span: int) -> Clip:
    names = "/".join(clip.names.split("/")[start : start + span]) if clip.names else ""
    return replace(clip, id=f"{clip.id}@{start}", start=clip.start + start, names=names)


def drawn(ids: Sequence[str], count: int, draw: int) -> list[str]:
    """Choose the `count` IDs with the smallest hashes, in the given order; another draw gives different hashes."""
    if count >= len(ids):
        return list(ids)
    named = {(f"{draw} {id}" if draw else id): id for id in ids}
    chosen = {named[name] for name in by_hash(named)[:count]}
    return [id for id in ids if id in chosen]


def with_hashes(clips: Sequence[Clip], root: Path, frames: int) -> list[Clip]:
    """Return windows with the hash of their content, several of them read in parallel."""
    with ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(lambda clip: hashed(clip, root, frames), clips))
