"""Sky Scene in its own layout: `sky_train/` and `sky_test/`, `<long video>/<short video>/<frame>.jpg` below (PAPER.md).

Copies that nest one folder level more or less are read too: the split folders may lie one folder deeper, frames may lie
directly in a long video's folder, or one level deeper. A source video is a long video; in a flat copy it is the short
video's name without its number (`a_1` and `a_2` come from `a`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.data.clips import FRAMES, Listing, cut, frame_folders
from bench.errors import BenchError


def index(root: Path, splits: Sequence[str]) -> Listing:
    """List the clips of Sky Scene; splits are "train" and "test"."""
    listing = Listing([])
    for split in splits:
        below = _split_folder(root, f"sky_{split}")
        for folder, names in frame_folders(below):
            where = folder.relative_to(root).as_posix()
            if len(names) < FRAMES:
                listing.short.append(f"{where}: {len(names)} frames")
            listing.remarks.extend(f"{where}: {gap}" for gap in _gaps(names))
            listing.clips.extend(cut(folder, root, split, names, below=below, video=source_video(folder, below)))
    return listing


def _split_folder(root: Path, name: str) -> Path:
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if (folder / name).is_dir():
            below = folder / name
            # Some archives unpack to sky_test/sky_test.
            return below / name if (below / name).is_dir() else below
    raise BenchError(f"The data root {root} has no clips in the sky layout: the folder {name} is missing below it.")


def source_video(folder: Path, below: Path) -> str:
    """The long video a frame folder was cut from."""
    parts = folder.relative_to(below).parts
    if len(parts) > 1:
        return "__".join(parts[:-1])
    return re.sub(r"_\d+$", "", folder.name)


def _gaps(names: Sequence[str]) -> list[str]:
    """Where the frames' own numbers do not go up by one."""
    numbers = [int(found[-1]) if (found := re.findall(r"\d+", name)) else None for name in names]
    return [
        f"{b} follows {a}: the frames are not consecutive"
        for a, b, m, n in zip(names, names[1:], numbers, numbers[1:], strict=False)
        if m is not None and n is not None and n != m + 1
    ]
