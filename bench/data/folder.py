"""A plain folder of videos: MP4, GIF, WebP, `.npy`, vertical strips, or folders of PNG or JPEG frames.

With `train/` and `test/` inside, those are the splits; without them everything is the test split. Each video or frame
folder is a source video of its own and is cut into clips of 32 consecutive frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.data.clips import FRAMES, Clip, Listing, clip_prefix, cut, frame_folders
from bench.data.video import VIDEOS, natural, read_video


def index(root: Path, splits: Sequence[str]) -> Listing:
    """List the clips of a plain folder; splits are "train" and "test"."""
    divided = (root / "train").is_dir() or (root / "test").is_dir()
    listing = Listing([])
    for split in splits:
        below = root / split if divided else root
        if below.is_dir() and (divided or split == "test"):
            for clips, frames, where in _videos(root, below):
                listing.clips.extend(replace(clip, split=split) for clip in clips)
                if frames < FRAMES:
                    listing.short.append(f"{where}: {frames} frames")
    return listing


def _videos(root: Path, below: Path) -> Iterator[tuple[list[Clip], int, str]]:
    for folder, names in frame_folders(below):
        if folder != below:  # loose images beside the videos are no video
            clips = cut(folder, root, "", names, below=below, video=clip_prefix(folder, below))
            yield clips, len(names), folder.relative_to(root).as_posix()
    files = (path for path in below.rglob("*") if path.suffix.lower() in VIDEOS and path.is_file())
    for file in sorted(files, key=lambda path: natural(path.as_posix())):
        frames = len(read_video(file))  # containers do not say it reliably
        prefix, path = clip_prefix(file.with_suffix(""), below), file.relative_to(root).as_posix()
        starts = range(0, frames - FRAMES + 1, FRAMES)
        yield (
            [Clip(f"{prefix}__{n:03d}", prefix, "", path, start) for n, start in enumerate(starts)],
            frames,
            path,
        )
