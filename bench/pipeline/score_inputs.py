"""Input videos of `bench score`: folders, archives and arrays, their names and sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config import PRESETS
from bench.data.array_files import NUMPY, TORCH, is_array_file, unpacked
from bench.data.clip_arrays import Statement
from bench.data.clips import listing_of, sample
from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.data.readers.video import frame_size, read_video
from bench.data.reference_folder import unzipped
from bench.errors import BenchError
from bench.scoring.pairing import Row, check_best, pair, samples_of, with_samples
from bench.scoring.scoring_plan import ScoringPlan


@dataclass(frozen=True)
class NamedFolder:
    """A folder of predictions, with the name of their method and the seed of their training run."""

    name: str
    seed: int
    path: Path

    @property
    def label(self) -> str:
        """The name as written on a command line."""
        return f"{self.name}@{self.seed}" if self.seed else self.name


def named_folders(texts: Sequence[str]) -> list[NamedFolder]:
    """Parse `FOLDER`, `NAME=FOLDER` or `NAME@SEED=FOLDER`; each name and seed may appear once.

    A folder's own name is the last part of its path, without `.zip` or `.npy`. Without `@SEED`, the seed is 0.

    >>> [(one.name, one.seed) for one in named_folders(["a@0=x", "a@7=y", "b@home=z"])]
    [('a', 0), ('a', 7), ('b@home', 0)]
    """
    folders: list[NamedFolder] = []
    for text in texts:
        name, equals, folder = text.partition("=")
        path = Path(folder) if equals and not Path(text).exists() else Path(text)
        named = path != Path(text)
        name = readable(name if named else own_name(path))
        run = re.fullmatch(r"(.+)@(\d+)", name) if named else None
        one = NamedFolder(run[1], int(run[2]), path) if run else NamedFolder(name, 0, path)
        if any((other.name, other.seed) == (one.name, one.seed) for other in folders):
            what = f"'{one.name}'" if not run else f"'{one.name}' with seed {one.seed}"
            raise BenchError(f"Two prediction folders are called {what}. Give one of them another name, NAME=FOLDER.")
        folders.append(one)
    return sorted(folders, key=lambda one: [other.name for other in folders].index(one.name))


def own_name(path: Path) -> str:
    """The name of a folder, an archive or an array, without its suffix."""
    name = path.resolve().name
    return name.removesuffix(path.suffix) if path.suffix.lower() in {".zip", *NUMPY, *TORCH} else name


def opened(
    path: Path, said: Statement, what: str = "prediction", known: Callable[[], Sequence[str]] | None = None
) -> tuple[Predictions, list[str]]:
    """Open the videos of a folder, a zip archive or an array; returns them with notes to be read with their numbers.

    Args:
        path: path of the folder or file.
        said: what the user states about arrays.
        what: what the videos are, for messages.
        known: returns the IDs of the real clips.
    """
    if not is_array_file(path):
        return Predictions(unzipped(path), what, given=path), []
    folder, notes = unpacked(path, said, known() if known else None)
    return Predictions(folder, what, given=path), notes


def opened_rows(
    folders: Sequence[NamedFolder], said: Statement, known: Callable[[], Sequence[str]] | None
) -> tuple[list[Row], list[str]]:
    """The rows of folders, archives and arrays, and the notes to be read with their numbers (`opened`)."""
    rows, notes = [], []
    for one in folders:
        videos, found = opened(one.path, said, known=known)
        rows.append(Row(one.name, videos, one.seed))
        notes += [f"{one.label}: {note}." for note in found]
    return rows, notes


def readable(name: str) -> str:
    """A name as text: repaired if a locale without UTF-8 garbled it, refused if its bytes are not UTF-8."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode()
    except UnicodeDecodeError as error:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise BenchError(f"The name {shown} is not UTF-8. Give the method another one, NAME=FOLDER.") from error


def own_size(videos: Predictions) -> tuple[int, int]:
    """Width and height of a reference's frames; videos that differ in size are a `BenchError`."""
    sizes = {frame_size(videos.path(id)) or read_video(videos.path(id), 1).shape[2:0:-1] for id in videos.ids}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise BenchError(
            f"The videos in {videos.shown} differ in size ({listed}). Give --resolution, to which all are resized."
        )
    ((width, height),) = sizes
    return width, height


def papers_size(dataset: Dataset) -> int:
    """The size at which the paper scored a dataset."""
    sizes: dict[str, int] = PRESETS["paper"]["resolution"]
    return sizes.get(dataset.name, sizes[""])


def real_ids(real: Predictions | None, dataset: Dataset, plan: ScoringPlan) -> list[str]:
    """IDs of the real clips, before anything is hashed or decoded."""
    if real is not None:
        return real.ids
    listing = listing_of(dataset.name, dataset.folder(plan.resolution), ("test",), dataset.frames)
    return [clip.id for clip in listing.clips]


def check_names(rows: Sequence[Row], dataset: Dataset, plan: ScoringPlan) -> None:
    """Check the IDs of predictions against those of the test clips, before anything is hashed or decoded."""
    listing = listing_of(dataset.name, dataset.folder(plan.resolution), ("test",), dataset.frames)
    if not listing.errors and listing.clips:  # otherwise the manifest reports what is wrong with the data
        known = {clip.id for clip in listing.clips}
        each = with_samples(rows, known, plan.samples)
        check_best(samples_of(each), plan.best)
        pair(each, sample(listing.clips, plan.count), known, plan.allow_partial)
