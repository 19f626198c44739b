"""The Beach dataset in the VGAN authors' own layout (PAPER.md).

`frames-stable-many/<...>/<name>.jpg`, each file a vertical strip of square frames, and text files with relative paths:
one whose name contains "train" and one whose name contains "test". With a single list of any other name, a tenth of its
source videos, chosen by hash, is for training and the rest for testing, as in the paper's protocol.

A strip's name is `<video>_<first frame>`: strips of one folder that share `<video>` come from one source video.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.data.clips import FRAMES, Clip, Listing, by_hash, clip_prefix
from bench.data.video import image_size, strip_frames
from bench.errors import BenchError

FOLDER = "frames-stable-many"
#: Share of the source videos that the paper trains on where the dataset has one list only.
TRAINING_SHARE = 0.1


def index(root: Path, splits: Sequence[str]) -> Listing:
    """List the clips of the Beach dataset; splits are "train" and "test"."""
    below = next((f for f in (root, *sorted(root.iterdir())) if (f / FOLDER).is_dir()), None)
    if below is None:
        raise BenchError(
            f"The data root {root} has no clips in the beach layout: the folder {FOLDER} is missing below it."
        )
    listing = Listing([])
    lists = _lists(below)
    for split in splits:
        for line in lists[split]:
            file = below / FOLDER / line
            if not file.is_file():
                raise BenchError(f"{file} is named in the {split} list of {below} but is missing.")
            frames = strip_frames(file, *image_size(file))
            where = file.relative_to(root).as_posix()
            if frames < FRAMES:
                listing.short.append(f"{where}: {frames} frames")
                continue
            stem = file.with_suffix("")
            listing.clips.append(
                Clip(
                    id=f"{clip_prefix(stem, below / FOLDER)}__000",
                    video=source_video(stem, below / FOLDER),
                    split=split,
                    path=where,
                )
            )
    named = {line for lines in lists.values() for line in lines}
    strips = (path.relative_to(below / FOLDER).as_posix() for path in sorted((below / FOLDER).rglob("*.jpg")))
    listing.remarks.extend(f"{FOLDER}/{strip}: in no list" for strip in strips if strip not in named)
    return listing


def source_video(stem: Path, below: Path) -> str:
    """The video a strip was cut from: its path without the ending and without the number of its first frame."""
    return re.sub(r"_\d+$", "", clip_prefix(stem, below))


def _lists(folder: Path) -> dict[str, list[str]]:
    files = sorted(folder.glob("*.txt"))
    lists = {split: [f for f in files if split in f.stem.lower()] for split in ("train", "test")}
    if all(len(found) == 1 for found in lists.values()):
        return {split: _lines(found[0]) for split, found in lists.items()}
    if len(files) == 1:
        lines = _lines(files[0])
        below = folder / FOLDER
        video = {line: source_video((below / line).with_suffix(""), below) for line in lines}
        videos = by_hash(set(video.values()))
        train = set(videos[: max(1, round(TRAINING_SHARE * len(videos)))])
        return {
            "train": [line for line in lines if video[line] in train],
            "test": [line for line in lines if video[line] not in train],
        }
    raise BenchError(
        f"{folder} needs one text file of paths with 'train' in its name and one with 'test', or a single list: "
        f"found {', '.join(f.name for f in files) or 'none'}."
    )


def _lines(file: Path) -> list[str]:
    return [line.strip().removeprefix(f"{FOLDER}/") for line in file.read_text().splitlines() if line.strip()]
