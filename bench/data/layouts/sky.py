"""Sky Scene in its own layout: `sky_train/` and `sky_test/`, `<long video>/<short video>/<frame>.jpg` below.

Copies that nest one folder level more or less are read too: the split folders may lie one folder deeper, frames may lie
directly in a long video's folder, or one level deeper. A source video is a long video; in a flat copy it is the short
video's name without its number (`a_1` and `a_2` come from `a`), unless the other split has that name too: there the
numbers tell videos apart (`video_0` in train, `video_10` in test), and each folder is a source video of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.data.clips import FRAMES, Listing, cut
from bench.data.readers.file_listing import composed, frame_folders, seen
from bench.errors import BenchError


def index(root: Path, splits: Sequence[str]) -> Listing:
    """List the clips of Sky Scene; splits are "train" and "test"."""
    listing = Listing([])
    for split in splits:
        below = _split_folder(root, f"sky_{split}")
        elsewhere = _names_elsewhere(root, split)
        for folder, names in frame_folders(below, listing.errors):
            where = folder.relative_to(root).as_posix()
            if len(names) < FRAMES:
                listing.short.append(f"{where}: {len(names)} frames")
            listing.remarks.extend(f"{where}: {gap}" for gap in _gaps(names))
            video = source_video(folder, below, elsewhere)
            listing.clips.extend(cut(folder, root, split, names, below=below, video=video))
    return listing


def _split_folder(root: Path, name: str) -> Path:
    inner = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for folder in (root, *sorted(inner)):
        if (folder / name).is_dir():
            below = folder / name
            # Some archives unpack to sky_test/sky_test.
            return below / name if (below / name).is_dir() else below
    raise BenchError(
        f"The data root {root} has no clips in the sky layout: the folder {name} is missing below it; {seen(root)}."
    )


def _names_elsewhere(root: Path, split: str) -> set[str]:
    """Names directly below the other split's folder, with and without their numbers; none where it is missing."""
    try:
        other = _split_folder(root, "sky_test" if split == "train" else "sky_train")
    except BenchError:
        return set()
    names = [composed(path.name) for path in other.iterdir() if path.is_dir()]
    return {*names, *map(_without_number, names)}


def _without_number(name: str) -> str:
    return re.sub(r"(?<=.)_\d+$", "", name)


def source_video(folder: Path, below: Path, elsewhere: Collection[str] = ()) -> str:
    """The long video a frame folder was cut from, given the names in the other split."""
    parts = folder.relative_to(below).parts
    if len(parts) > 1:
        return composed("__".join(parts[:-1]))
    full = composed(folder.name)
    name = _without_number(full)
    return full if name in elsewhere else name


def _gaps(names: Sequence[str]) -> list[str]:
    """Where the frames' own numbers do not go up by one."""
    numbers = [int(digits[-1]) if (digits := re.findall(r"\d+", name)) else None for name in names]
    return [
        f"{b} follows {a}: the frames are not consecutive"
        for a, b, m, n in zip(names, names[1:], numbers, numbers[1:], strict=False)
        if m is not None and n is not None and n != m + 1
    ]
