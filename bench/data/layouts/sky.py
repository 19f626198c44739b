"""Sky Time-lapse in its own layout: `<long video>/<short video>/<frame>.jpg` below `sky_train/` and `sky_test/`.

Copies with one folder level more or less are read too. The split folders may be one folder deeper. Frames may be
directly in a long video's folder, or in a separate subfolder (`<short video>/frames/`).

A source video is a long video. In a flat copy, it is the short video's name without its number (`a_1` and `a_2` come
from `a`). If the other split has that name too, the numbers distinguish videos (`video_0` in train, `video_10` in
test). Each folder is then a separate source video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.data.clips import FRAMES, Listing, cut
from bench.data.readers.file_listing import composed, frame_folders, seen
from bench.errors import BenchError


def index(root: Path, splits: Sequence[str], frames: int = FRAMES) -> Listing:
    """List the clips of Sky Time-lapse, each of a given length; splits are "train" and "test"."""
    listing = Listing([])
    for split in splits:
        below = _split_folder(root, f"sky_{split}")
        elsewhere = _names_elsewhere(root, split)
        found = list(frame_folders(below, listing.errors))
        shorts = short_videos([folder for folder, _ in found], below)
        for folder, names in found:
            where = folder.relative_to(root).as_posix()
            if len(names) < frames:
                listing.short.append(f"{where}: {len(names)} frames")
            listing.remarks.extend(f"{where}: {gap}" for gap in _gaps(names))
            video = source_video(shorts[folder], below, elsewhere)
            listing.clips.extend(cut(folder, root, split, names, below=below, video=video, frames=frames))
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
    """Names of a flat copy's short videos in the other split, with and without their numbers; otherwise empty."""
    try:
        other = _split_folder(root, "sky_test" if split == "train" else "sky_train")
    except BenchError:
        return set()
    shorts = short_videos([folder for folder, _ in frame_folders(other, [])], other).values()
    names = [composed(path.name) for path in shorts if path.parent == other]
    return {*names, *map(_without_number, names)}


def _without_number(name: str) -> str:
    return re.sub(r"(?<=.)_\d+$", "", name)


def short_videos(folders: Sequence[Path], below: Path) -> dict[Path, Path]:
    """Map each frame folder to the folder of its short video: itself or its parent.

    It is the parent if a short video keeps its frames in a separate subfolder (`A/A_1/frames`). Such a subfolder is
    the only one in its short video, and is not named like a part of it (`A_1` in `A`). One level below the split,
    there must be several with the same name; otherwise `A/x` is a short video `x`.
    """
    shared = len({folder.name for folder in folders}) == 1 and len(folders) > 1
    siblings = Counter(folder.parent for folder in folders)
    shorts = {}
    for folder in folders:
        depth = len(folder.relative_to(below).parts)
        part = re.fullmatch(rf"{re.escape(folder.parent.name)}[ _-]?\d+", folder.name)
        own = depth > 2 or (depth == 2 and shared and not folder.name.isdigit())
        shorts[folder] = folder.parent if own and siblings[folder.parent] == 1 and not part else folder
    return shorts


def source_video(folder: Path, below: Path, elsewhere: Collection[str] = ()) -> str:
    """The long video from which a short video's folder was cut, given the names in the other split."""
    parts = folder.relative_to(below).parts
    if len(parts) > 1:
        return composed("__".join(parts[:-1]))
    full = composed(folder.name)
    name = _without_number(full)
    return full if name in elsewhere else name


def _gaps(names: Sequence[str]) -> list[str]:
    """Messages about frames whose own numbers do not increase by one."""
    numbers = [int(digits[-1]) if (digits := re.findall(r"\d+", name)) else None for name in names]
    return [
        f"{b} follows {a}: the frames are not consecutive"
        for a, b, m, n in zip(names, names[1:], numbers, numbers[1:], strict=False)
        if m is not None and n is not None and n != m + 1
    ]
