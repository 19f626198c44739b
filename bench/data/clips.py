"""Clips, and the manifest that training and scoring use in place of a directory listing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from inspect import signature
from itertools import chain
from pathlib import Path

from bench.data.readers.file_listing import composed, file_state, seen
from bench.data.readers.frames import Frames
from bench.data.readers.sequential import read_frames
from bench.data.readers.video import read_image, stack
from bench.errors import BenchError
from bench.files import digest, write_text
from bench.registry import DATASETS

#: Frames of a clip, and so of everything that is trained, generated and scored (T = 32 in the paper).
FRAMES = 32
#: Share of the training set's source videos that validation takes.
VALIDATION_SHARE = 0.1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive frames of one source video, `FRAMES` of them unless its manifest says otherwise.

    Attributes:
        id: path below the split folder, parts joined by `__`, then the clip's number within its short video; in
            composed Unicode (NFC), whatever the disk has.
        video: source video, the unit of splits and of the bootstrap; clips of one video are not independent.
        split: "train", "val" or "test".
        path: frame folder or file, below the data root.
        start: first frame within it, counted from 0.
        names: the frames' file names joined by "/" when `path` is a folder (one string, so that 35,000 clips stay
            small in memory); empty when it is a file.
        sha256: hash of the source bytes and of the place in them.
    """

    id: str
    video: str
    split: str
    path: str
    start: int = 0
    names: str = ""
    sha256: str = ""

    def files(self, root: Path) -> list[Path]:
        """The files this clip is read from, in frame order."""
        folder = root / self.path
        return [folder / name for name in self.names.split("/")] if self.names else [folder]

    def read(self, root: Path, resolution: int | None = None, frames: int = FRAMES) -> Frames:
        """Read the first `frames` frames as uint8 `[T, H, W, 3]`, resized to a square where `resolution` is given."""
        if self.names:
            return stack((read_image(file) for file in self.files(root)[:frames]), root / self.path, resolution)
        file, stop = root / self.path, self.start + frames
        clip = read_frames(file, self.start, stop, resolution)
        if len(clip) < frames:
            raise BenchError(
                f"{file} has fewer than the {stop} frames that clip {self.id} needs. Copy the video again, or "
                "index the dataset anew."
            )
        return clip


@dataclass(frozen=True)
class Listing:
    """What a dataset's reader found: clips without hashes, and what it left out.

    Attributes:
        clips: of the splits asked for, "train" and "test" only; validation is taken from train later.
        short: videos with fewer than `FRAMES` frames, as `path: N frames`.
        remarks: anything else worth a line in `bench data verify` (gaps in numbering, files in no list, ...).
        errors: files that cannot be used, each a sentence; `build_manifest` raises the first, verify tells them all.
        absent: splits asked for that this layout may do without and that are not there.
    """

    clips: list[Clip]
    short: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


#: What the registry's entries for datasets are: (data root, splits of "train" and "test") -> Listing. One that cuts
#: clips of another number of frames as well takes that number as `frames`.
Index = Callable[..., Listing]


@dataclass(frozen=True)
class Manifest:
    """The clips of one dataset as one run sees them.

    Attributes:
        dataset: registered name.
        root: data root at the time of indexing; content hashes and not this path say which data it was.
        clips: in order of split and id.
        short: how many videos were left out for having fewer frames than a clip.
        frames: of each clip.
    """

    dataset: str
    root: Path
    clips: tuple[Clip, ...]
    short: int = 0
    frames: int = FRAMES

    def split(self, *names: str) -> list[Clip]:
        """Clips of the named splits."""
        return [clip for clip in self.clips if clip.split in names]

    @cached_property
    def hashes(self) -> dict[str, str]:
        """For each split that has clips, the hash of its ids and contents."""
        return {
            split: digest([[c.id, c.video, c.sha256] for c in clips])
            for split in SPLITS
            if (clips := self.split(split))
        }

    def save(self, path: Path) -> None:
        """Write as JSON lines: a header, then a line a clip."""
        header = {"dataset": self.dataset, "root": str(self.root), "short": self.short, "hashes": self.hashes}
        header |= {"frames": self.frames} if self.frames != FRAMES else {}
        lines = [header, *(asdict(clip) for clip in self.clips)]
        write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    @staticmethod
    def load(path: Path) -> Manifest:
        """Read what `save` wrote."""
        if not path.exists():
            raise BenchError(f"There is no clip manifest {path}.")
        with path.open(encoding="utf-8") as lines:
            header = json.loads(next(lines))
            clips = tuple(Clip(**json.loads(line)) for line in lines)
        return Manifest(header["dataset"], Path(header["root"]), clips, header["short"], header.get("frames", FRAMES))


def content_hash(files: Iterable[Path], *place: int) -> str:
    """Hash of files' bytes, one after another with their lengths, and of a place in them.

    A place later in one file is hashed with the hash of the file's beginning in place of its bytes: a long video is
    then read once and not once a clip.

    Args:
        files: that are read.
        place: first frame and number of frames, where the files hold more than that.

    Raises:
        BenchError: a file cannot be read.
    """
    files = list(files)
    total = hashlib.sha256(json.dumps(place).encode())
    if len(files) == 1 and place and place[0]:
        total.update(_beginning(files[0], file_state(files[0]), place[1:]).encode())
        return total.hexdigest()
    for file in files:
        try:
            with file.open("rb") as content:
                total.update(os.fstat(content.fileno()).st_size.to_bytes(8, "little"))
                while block := content.read(1 << 20):
                    total.update(block)
        except OSError as error:
            raise BenchError(f"{file} cannot be read ({error.strerror}).") from error
    return total.hexdigest()


@lru_cache(maxsize=256)
def _beginning(file: Path, state: tuple[int, ...], length: tuple[int, ...]) -> str:
    """Hash of the first clip of a file, kept for as long as the file's state says that it is the same."""
    return content_hash([file], 0, *length)


def by_hash(names: Iterable[str]) -> list[str]:
    """Names in the order of the SHA-256 of their UTF-8: a fixed shuffle that no machine, seed or listing changes."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def sample(clips: Sequence[Clip], count: int | None) -> list[Clip]:
    """The `count` clips with the smallest SHA-256 of their id, in the order given; all of them for None.

    Raises:
        BenchError: a count below 1.
    """
    if count is not None and count < 1:
        raise BenchError(f"Expected at least 1 clip, not {count}.")
    if count is None or count >= len(clips):
        return list(clips)
    chosen = set(by_hash(clip.id for clip in clips)[:count])
    return [clip for clip in clips if clip.id in chosen]


def one_per_video(videos: Mapping[str, str]) -> list[str]:
    """Of each source video the clip id with the smallest hash, smallest first; `videos` is the source of each id."""
    first: dict[str, str] = {}
    for id in by_hash(videos):
        first.setdefault(videos[id], id)
    return list(first.values())


def example_clips(videos: Mapping[str, str], count: int) -> list[str]:
    """A few clips that nobody picked: smallest hashes of their ids, each of another video while there are any.

    Args:
        videos: source video of each clip id.
        count: how many.
    """
    first = one_per_video(videos)
    return [*first, *(id for id in by_hash(videos) if id not in first)][:count]


def with_validation(clips: Sequence[Clip]) -> list[Clip]:
    """Move about a tenth of the training set's source videos, chosen by hash, to the split "val".

    At least one video when there are two or more; none otherwise. Source videos are moved whole.
    """
    videos = by_hash({clip.video for clip in clips if clip.split == "train"})
    taken = set(videos[: max(1, round(VALIDATION_SHARE * len(videos)))]) if len(videos) > 1 else set()
    return [replace(c, split="val") if c.split == "train" and c.video in taken else c for c in clips]


def listing_of(dataset: str, root: Path, splits: Sequence[str], frames: int = FRAMES) -> Listing:
    """The clips of a dataset, of a given length each, without hashes.

    Raises:
        BenchError: the dataset's reader, a third party's, cuts clips of one length only.
    """
    index: Index = DATASETS.load(dataset)
    if frames == FRAMES:
        return index(root, splits)
    if "frames" not in signature(index).parameters:
        raise BenchError(f"The dataset {dataset} only has clips of {FRAMES} frames, not {frames}.")
    return index(root, splits, frames=frames)


def build_manifest(
    dataset: str, root: str | Path, splits: Sequence[str] = ("train", "test"), frames: int = FRAMES
) -> Manifest:
    """Index and hash a dataset.

    Args:
        dataset: registered name.
        root: its folder.
        splits: of "train" and "test"; scoring needs "test" only and then reads nothing else.
        frames: of a clip.

    Raises:
        BenchError: the root is missing, has a file that cannot be used, has no clips in a split that was asked for,
            has two clips of one id, or shares a source video between train and test.
    """
    root = Path(root)
    if not root.is_dir():
        raise BenchError(f"The data root {root} does not exist: give the folder of the {dataset} dataset.")
    listing = listing_of(dataset, root, splits, frames)
    if listing.errors:
        more = f" (and {len(listing.errors) - 1} more: see `bench data verify`)" if len(listing.errors) > 1 else ""
        raise BenchError(f"{listing.errors[0]}{more}")
    if found := problems(dataset, root, splits, listing, frames):
        raise BenchError(found[0])
    with ThreadPoolExecutor() as pool:  # reading and hashing both let go of the interpreter lock
        groups = by_file(with_validation(listing.clips))
        clips = pool.map(lambda group: [hashed(clip, root, frames) for clip in group], groups)
        return replace(manifest_of(dataset, root, chain.from_iterable(clips), listing), frames=frames)


def problems(dataset: str, root: Path, splits: Iterable[str], listing: Listing, frames: int = FRAMES) -> list[str]:
    """What is wrong with a listing as a whole: splits without clips, shared source videos, repeated ids."""
    clips, messages = listing.clips, []
    for split in splits:
        if not any(clip.split == split for clip in clips):
            short = f" ({len(listing.short)} videos have fewer than {frames} frames)" if listing.short else ""
            messages.append(f"The data root {root} has no {split} clips in the {dataset} layout{short}: {seen(root)}.")
    train = {c.video for c in clips if c.split == "train"}
    if shared := sorted(train & {c.video for c in clips if c.split == "test"}):
        messages.append(
            f"The source video {shared[0]} is in both train and test below {root}, so test scores would be "
            "leaked. Remove it from one of them."
        )
    if twice := _first_repeated(clip.id for clip in clips):
        messages.append(f"The clip id {twice} occurs twice below {root}: rename one of the two videos.")
    return messages


def by_file(clips: Iterable[Clip]) -> list[list[Clip]]:
    """Clips in groups that one thread should read: all of one file, so that it is read once; else each alone."""
    groups: dict[object, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.id if clip.names else clip.path, []).append(clip)
    return list(groups.values())


def hashed(clip: Clip, root: Path, frames: int = FRAMES) -> Clip:
    """A clip with the hash of what is at its place now."""
    return replace(clip, sha256=content_hash(clip.files(root), clip.start, frames))


def manifest_of(dataset: str, root: Path, clips: Iterable[Clip], listing: Listing) -> Manifest:
    """The manifest of clips with hashes, in its order."""
    ordered = sorted(clips, key=lambda clip: (SPLITS.index(clip.split), clip.id))
    return Manifest(dataset, root.resolve(), tuple(ordered), len(listing.short))


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def cut(
    path: Path, root: Path, split: str, names: Sequence[str], *, below: Path, video: str, frames: int = FRAMES
) -> list[Clip]:
    """Cut a frame folder into clips of a given number of consecutive frames that do not overlap."""
    prefix = clip_prefix(path, below)
    return [
        Clip(
            id=f"{prefix}__{number:03d}",
            video=video,
            split=split,
            path=path.relative_to(root).as_posix(),
            start=number * frames,
            names="/".join(names[number * frames : (number + 1) * frames]),
        )
        for number in range(len(names) // frames)
    ]


def clip_prefix(path: Path, below: Path) -> str:
    """A clip id without its number: the path below the split folder, parts joined by `__`, in composed Unicode."""
    return composed("__".join(path.relative_to(below).parts))
