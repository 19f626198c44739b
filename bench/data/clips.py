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

#: Default number of frames per clip (T = 32 in the paper).
FRAMES = 32
#: Fraction of the training set's source videos that is used for validation.
VALIDATION_SHARE = 0.1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive frames of one source video, `FRAMES` of them unless its manifest states another number.

    Attributes:
        id: path below the split folder, parts joined by `__`, then the clip's number within its short video; in
            composed Unicode (NFC), even if the disk uses another form.
        video: source video, the unit of splits, intervals and tests; clips of one video are not independent.
        split: "train", "val" or "test".
        path: frame folder or file, relative to the data root.
        start: first frame within `path`, counted from 0.
        names: the frames' file names joined by "/" if `path` is a folder (one string, so that 35,000 clips stay
            small in memory); empty if it is a file.
        sha256: hash of the source bytes and of the clip's position in them.
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
        """Read the first `frames` frames as uint8 `[T, H, W, 3]`, resized to a square if `resolution` is given."""
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
        clips: clips of the requested splits, only "train" and "test"; validation is taken from train later.
        short: videos with fewer than `FRAMES` frames, as `path: N frames`.
        remarks: anything else worth a line in `bench data verify` (gaps in numbering, files in no list, ...).
        errors: one sentence per unusable file; `build_manifest` raises the first, `bench data verify` reports all.
        absent: requested splits that do not exist and that this layout does not require.
    """

    clips: list[Clip]
    short: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


#: Type of the registry's dataset entries: (data root, splits of "train" and "test") -> Listing. An entry that can also
#: cut clips of another length accepts the number of frames as `frames`.
Index = Callable[..., Listing]


@dataclass(frozen=True)
class Manifest:
    """The clips of one dataset as one run sees them.

    Attributes:
        dataset: registered name.
        root: data root at the time of indexing; the data is identified by content hashes, not by this path.
        clips: clips ordered by split and id.
        short: number of videos that were left out because they have fewer frames than a clip.
        frames: frames per clip.
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
        """Hash of the ids and contents of each split that has clips."""
        return {
            split: digest([[c.id, c.video, c.sha256] for c in clips])
            for split in SPLITS
            if (clips := self.split(split))
        }

    def save(self, path: Path) -> None:
        """Write as JSON lines: a header, then one line per clip."""
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
    """Hash the bytes and lengths of files, one after another, and a position in them.

    For a later position in a single file, the hash of the file's beginning replaces its bytes. A long video is
    therefore read once, not once per clip.

    Args:
        files: files to read.
        place: first frame and number of frames, if the files contain more than that.

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
    """Hash of the first clip of a file, cached until the file's state changes."""
    return content_hash([file], 0, *length)


def by_hash(names: Iterable[str]) -> list[str]:
    """Sort names by the SHA-256 of their UTF-8: a fixed shuffle, independent of machine, seed and listing."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def sample(clips: Sequence[Clip], count: int | None) -> list[Clip]:
    """Select the `count` clips whose ids have the smallest SHA-256, in the given order; all clips for None.

    Raises:
        BenchError: the count is below 1.
    """
    if count is not None and count < 1:
        raise BenchError(f"Expected at least 1 clip, not {count}.")
    if count is None or count >= len(clips):
        return list(clips)
    chosen = set(by_hash(clip.id for clip in clips)[:count])
    return [clip for clip in clips if clip.id in chosen]


def one_per_video(videos: Mapping[str, str]) -> list[str]:
    """The clip id with the smallest hash for each source video, smallest first; `videos` maps ids to source videos."""
    first: dict[str, str] = {}
    for id in by_hash(videos):
        first.setdefault(videos[id], id)
    return list(first.values())


def example_clips(videos: Mapping[str, str], count: int) -> list[str]:
    """Choose example clips without cherry-picking: smallest id hashes first, from different videos as far as possible.

    Args:
        videos: source video of each clip id.
        count: number of clips.
    """
    first = one_per_video(videos)
    return [*first, *(id for id in by_hash(videos) if id not in first)][:count]


def with_validation(clips: Sequence[Clip]) -> list[Clip]:
    """Move about a tenth of the training set's source videos, chosen by hash, to the split "val".

    At least one video is moved if there are two or more, otherwise none. Source videos are moved whole.
    """
    videos = by_hash({clip.video for clip in clips if clip.split == "train"})
    taken = set(videos[: max(1, round(VALIDATION_SHARE * len(videos)))]) if len(videos) > 1 else set()
    return [replace(c, split="val") if c.split == "train" and c.video in taken else c for c in clips]


def listing_of(dataset: str, root: Path, splits: Sequence[str], frames: int = FRAMES) -> Listing:
    """List the clips of a dataset, each of a given length, without hashes.

    Raises:
        BenchError: the dataset's third-party reader only cuts clips of one length.
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
        root: folder of the dataset.
        splits: "train", "test" or both; scoring needs only "test" and then reads nothing else.
        frames: frames per clip.

    Raises:
        BenchError: the root is missing, contains an unusable file, has no clips in a requested split, has two clips
            with the same id, or shares a source video between train and test.
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
    with ThreadPoolExecutor() as pool:  # reading and hashing both release the interpreter lock
        groups = by_file(with_validation(listing.clips))
        clips = pool.map(lambda group: [hashed(clip, root, frames) for clip in group], groups)
        return replace(manifest_of(dataset, root, chain.from_iterable(clips), listing), frames=frames)


def problems(dataset: str, root: Path, splits: Iterable[str], listing: Listing, frames: int = FRAMES) -> list[str]:
    """Problems of a listing as a whole: splits without clips, shared source videos, repeated ids."""
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
    """Group clips that one thread should read: all clips of one file, so that it is read once; any other clip alone."""
    groups: dict[object, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.id if clip.names else clip.path, []).append(clip)
    return list(groups.values())


def hashed(clip: Clip, root: Path, frames: int = FRAMES) -> Clip:
    """Return the clip with the hash of its current content."""
    return replace(clip, sha256=content_hash(clip.files(root), clip.start, frames))


def manifest_of(dataset: str, root: Path, clips: Iterable[Clip], listing: Listing) -> Manifest:
    """Build the manifest of clips with hashes, sorted by split and id."""
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
    """Cut a frame folder into non-overlapping clips of a given number of consecutive frames."""
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
