"""The Beach dataset in the VGAN authors' own layout.

Each file `frames-stable-many/<...>/<name>.jpg` is a vertical strip of square frames. Text files list relative paths:
one whose name contains "train" and one whose name contains "test". If there is a single list whose name has neither
word, a tenth of its source videos, chosen by hash, is for training. The rest is for testing, as in the paper's
protocol.

A strip's name is `<video>_<first frame>`. Strips of one folder that share `<video>` come from one source video.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from bench.data.clips import FRAMES, Clip, Listing, by_hash, clip_prefix
from bench.data.readers.file_listing import composed, files_below, printable, seen
from bench.data.readers.video import image_size, strip_frames
from bench.errors import BenchError

FOLDER = "frames-stable-many"
#: Fraction of the source videos that the paper trains on, used if the dataset has only one list.
TRAINING_SHARE = 0.1


def index(root: Path, splits: Sequence[str], frames: int = FRAMES) -> Listing:
    """List the clips of the Beach dataset, each of a given length; splits are "train" and "test"."""
    inner = (folder for folder in sorted(root.iterdir()) if not folder.name.startswith("."))
    below = next((f for f in (root, *inner) if (f / FOLDER).is_dir()), None)
    if below is None:
        raise BenchError(
            f"The data root {root} has no clips in the beach layout: the folder {FOLDER} is missing below it; "
            f"{seen(root)}."
        )
    listing = Listing([])
    lists = _lists(below, splits, listing.errors)
    strips = [path.relative_to(below / FOLDER).as_posix() for path in files_below(below / FOLDER)]
    spelled = {composed(strip): strip for strip in strips}  # a list and a disk may use different Unicode forms
    for split in splits:
        for line in lists[split]:
            file = below / FOLDER / line
            if not file.is_file():
                file = below / FOLDER / spelled.get(composed(line), line)
            if not file.is_file():
                listing.errors.append(f"{file} is named in the {split} list of {below} but is missing.")
                continue
            try:
                count = strip_frames(file, *image_size(file))
            except BenchError as error:
                listing.errors.append(str(error))
                continue
            where = file.relative_to(root).as_posix()
            if count < frames:
                listing.short.append(f"{where}: {count} frames")
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
    named = {composed(line) for lines in lists.values() for line in lines}
    left = (strip for strip in strips if strip.endswith(".jpg") and composed(strip) not in named)
    listing.remarks.extend(f"{FOLDER}/{printable(strip)}: not in any list" for strip in left)
    return listing


def source_video(stem: Path, below: Path) -> str:
    """The video from which a strip was cut: its path without the suffix and the number of the first frame.

    A name that consists only of a number (`beach/0001.jpg`) is a separate video.
    """
    name = re.sub(r"(?<=.)_\d+$", "", stem.name)
    return clip_prefix(stem.with_name(name), below)


def _lists(folder: Path, splits: Sequence[str], errors: list[str]) -> dict[str, list[str]]:
    """Read the paths of every split that has a list.

    Each of `splits` must have a list, and its invalid lines are added to `errors`.
    """
    files = [file for file in sorted(folder.glob("*.txt")) if not file.name.startswith(".")]
    words = {file: [word for word in ("train", "test") if word in file.stem.lower()] for file in files}
    by_split = {split: [file for file in files if words[file] == [split]] for split in ("train", "test")}
    if len(files) == 1 and not words[files[0]]:
        return _divided(_lines(files[0], errors), folder / FOLDER)
    lists = {}
    for split, named in by_split.items():
        if len(named) == 1:
            lists[split] = _lines(named[0], errors if split in splits else [])
        elif split in splits:
            raise BenchError(
                f"{folder} needs one text file of paths with '{split}' in its name (and not both 'train' and 'test'), "
                f"or a single list with neither word: found {', '.join(f.name for f in files) or 'none'}."
            )
    return lists


def _divided(lines: Sequence[str], below: Path) -> dict[str, list[str]]:
    video = {line: source_video((below / line).with_suffix(""), below) for line in lines}
    videos = by_hash(set(video.values()))
    train = set(videos[: max(1, round(TRAINING_SHARE * len(videos)))])
    return {
        "train": [line for line in lines if video[line] in train],
        "test": [line for line in lines if video[line] not in train],
    }


def _lines(file: Path, errors: list[str]) -> list[str]:
    """Read a list's paths below `FOLDER`, in one spelling; invalid lines are added to `errors`."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # Windows editors begin a file with a byte order mark
    except UnicodeDecodeError:
        errors.append(f"The list {file} is not UTF-8 text: save it as UTF-8.")
        return []
    except OSError as error:
        errors.append(f"The list {file} cannot be read ({error.strerror}).")
        return []
    paths = []
    for number, line in enumerate(map(str.strip, text.split("\n")), start=1):
        if not line:
            continue
        path = posixpath.normpath(re.sub(r"^(\./+)+", "", line).removeprefix(f"{FOLDER}/"))
        # PureWindowsPath finds an anchor in "/data/a.jpg" as well as in "C:\\a.jpg".
        if PureWindowsPath(line).anchor or PureWindowsPath(path).anchor or path.split("/")[0] in (".", ".."):
            errors.append(f"Line {number} of {file} is {line}: expected a path below {FOLDER}.")
        else:
            paths.append(path)
    return paths
