"""A plain folder of videos: video files, animations, `.npy` and `.npz` arrays, or folders of frames.

Subfolders `train/` and `test/` are the splits; without them, everything is the test split. Each video or frame folder
is a separate source video. It is cut into clips of consecutive frames, 32 unless another number is requested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bench.data.clips import FRAMES, Clip, Listing, clip_prefix, cut
from bench.data.readers.file_listing import files_below, frame_folders, name_error
from bench.data.readers.video import is_video, length, natural
from bench.errors import BenchError


def index(root: Path, splits: Sequence[str], frames: int = FRAMES) -> Listing:
    """List the clips of a plain folder, each of a given length; splits are "train" and "test"."""
    divided = (root / "train").is_dir() or (root / "test").is_dir()
    listing = Listing([])
    for split in splits:
        below = root / split if divided else root
        if not below.is_dir() or (split == "train" and not divided):
            listing.absent.append(split)
            continue
        for clips, count, where in _videos(root, below, listing.errors, frames):
            listing.clips.extend(replace(clip, split=split) for clip in clips)
            if count < frames:
                listing.short.append(f"{where}: {count} frames")
    return listing


def _videos(root: Path, below: Path, errors: list[str], frames: int) -> Iterator[tuple[list[Clip], int, str]]:
    """Yield each video below a folder: its clips of `frames` frames each, its number of frames, and its path."""
    files = [path for path in files_below(below) if is_video(path)]
    paths = set(files)
    for folder, names in frame_folders(below, errors):
        images = [name for name in names if folder / name not in paths]
        if folder != below and images:  # loose images next to the videos are not a video
            clips = cut(folder, root, "", images, below=below, video=clip_prefix(folder, below), frames=frames)
            yield clips, len(images), folder.relative_to(root).as_posix()
    files.sort(key=lambda path: natural(path.as_posix()))
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(_length, files))
    for file, count in zip(files, counts, strict=True):
        if isinstance(count, BenchError):
            errors.append(str(count))
            continue
        prefix, path = clip_prefix(file.with_suffix(""), below), file.relative_to(root).as_posix()
        starts = range(0, count - frames + 1, frames)
        yield (
            [Clip(f"{prefix}__{n:03d}", prefix, "", path, start) for n, start in enumerate(starts)],
            count,
            path,
        )


def _length(file: Path) -> int | BenchError:
    if problem := name_error([str(file)]):
        return BenchError(problem)
    try:
        return length(file)
    except BenchError as error:
        return error
