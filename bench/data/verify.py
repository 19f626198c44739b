"""`bench data verify`: problems of a dataset, file by file, and what a reader of bare pixels would miss."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bench.data.clips import (
    FRAMES,
    Clip,
    Listing,
    Manifest,
    by_file,
    hashed,
    listing_of,
    manifest_of,
    problems,
    with_validation,
)
from bench.data.readers.file_listing import composed
from bench.data.readers.frames import Trait
from bench.data.readers.video import frames_of, read_image
from bench.data.workers import processors
from bench.errors import BenchError
from bench.progress import task

#: Maximum number of files that a remark of the report names.
_EXAMPLES = 3


@dataclass(frozen=True)
class DatasetFinding:
    """One line of the report: an error makes the dataset unusable, a remark does not."""

    kind: Literal["error", "remark"]
    text: str


@dataclass(frozen=True)
class VerificationResult:
    """What `verify` found.

    Attributes:
        clips: number of clips by split, if the dataset could be indexed.
        videos: number of source videos by split.
        findings: errors, remarks, traits of files and repeated content, in this order.
    """

    clips: dict[str, int]
    videos: dict[str, int]
    findings: list[DatasetFinding]

    @property
    def ok(self) -> bool:
        """Whether training and scoring can use the dataset as it is."""
        return not any(finding.kind == "error" for finding in self.findings)


def verify(dataset: str, root: Path, frames: int = FRAMES) -> VerificationResult:
    """Index a dataset with clips of a given length, and decode every file in it.

    Raises:
        BenchError: the root does not exist, or the dataset is unknown.
    """
    if not root.is_dir():
        raise BenchError(f"The data root {root} does not exist: give the folder of the {dataset} dataset.")
    found, refused, demanded = Listing([]), [], []
    for split in ("train", "test"):
        try:
            listing = listing_of(dataset, root, (split,), frames)
        except BenchError as error:
            refused.append(str(error))
            continue
        for name, part in vars(listing).items():
            getattr(found, name).extend(part)
        # If a split has broken files, they are the reason that it has no clips.
        if not listing.absent and not listing.errors:
            demanded.append(split)
    if not refused and not found.errors and not demanded:
        demanded = ["test"]
    errors = [*refused, *found.errors, *problems(dataset, root, demanded, found, frames)]
    remarks = [*(f"{short}: too short for a clip, skipped" for short in found.short), *found.remarks]
    looked = _decoded(with_validation(found.clips), root, frames)
    findings = [DatasetFinding("error", text) for text in dict.fromkeys([*errors, *looked.faults])]
    findings += [DatasetFinding("remark", text) for text in dict.fromkeys(remarks)]
    findings += _trait_remarks(looked.traits, looked.clips, root)
    manifest = manifest_of(dataset, root, looked.clips, found)
    findings += _repeated(manifest)
    by_split = {split: manifest.split(split) for split in ("train", "val", "test")}
    return VerificationResult(
        {split: len(clips) for split, clips in by_split.items()},
        {split: len({clip.video for clip in clips}) for split, clips in by_split.items()},
        findings,
    )


@dataclass(frozen=True)
class _DecodedClips:
    """Result of decoding some clips: the clips with hashes, a sentence for each fault, and traits by file."""

    clips: list[Clip]
    faults: list[str]
    traits: dict[Path, set[Trait]]


def _decoded(clips: Sequence[Clip], root: Path, frames: int) -> _DecodedClips:
    """Hash and decode every file of every clip; a file that contains several clips is decoded only once."""
    found = _DecodedClips([], [], {})
    with ThreadPoolExecutor(processors()) as pool, task("decoding", len(clips)) as progress:
        for looked in pool.map(partial(_look, root, frames), by_file(clips)):
            found.clips.extend(looked.clips)
            found.faults.extend(looked.faults)
            found.traits.update(looked.traits)
            progress.advance(len(looked.clips))
    return found


def _look(root: Path, frames: int, clips: Sequence[Clip]) -> _DecodedClips:
    """Hash and decode one clip of a frame folder, or all clips of one file."""
    found = _DecodedClips([], [], {})
    try:
        for clip in clips:
            found.clips.append(hashed(clip, root, frames))
    except BenchError as error:
        return _DecodedClips(list(clips), [str(error)], {})
    if clips[0].names:
        _look_at_frames(clips[0], root, found)
    else:
        _look_at_file(clips, root, frames, found)
    return found


def _look_at_frames(clip: Clip, root: Path, found: _DecodedClips) -> None:
    sizes: set[str] = set()
    for file in clip.files(root):
        try:
            frame = read_image(file, found.traits.setdefault(file, set()))
            sizes.add(f"{frame.shape[1]}×{frame.shape[0]}")
        except BenchError as error:
            found.faults.append(str(error))
    if len(sizes) > 1:
        found.faults.append(f"The frames of clip {clip.id} differ in size ({', '.join(sorted(sizes))}).")


def _look_at_file(clips: Sequence[Clip], root: Path, of_clip: int, found: _DecodedClips) -> None:
    file, sizes, frames = root / clips[0].path, set(), 0
    try:
        for frames, develop in enumerate(frames_of(file, found.traits.setdefault(file, set())), start=1):
            if frames == 1:
                sizes.add(develop().shape)
    except BenchError as error:
        found.faults.append(str(error))
        return
    expected = max(clip.start for clip in clips) + of_clip
    if frames < expected:
        found.faults.append(f"{file} has {frames} frames: expected {expected}.")


def _trait_remarks(traits: Mapping[Path, Collection[Trait]], clips: Iterable[Clip], root: Path) -> list[DatasetFinding]:
    """One remark per trait: the number of files with it, and the first of them."""
    having: dict[Trait, list[str]] = {trait: [] for trait in Trait}
    for file, its in traits.items():
        for trait in its:
            having[trait].append(file.relative_to(root).as_posix())
    for clip in clips:
        if composed(clip.path) != clip.path:
            having[Trait.UNICODE].append(clip.path)
    return [
        DatasetFinding("remark", f"{trait.value}: {_files(sorted(set(names)))}")
        for trait, names in having.items()
        if names
    ]


def _files(names: Sequence[str]) -> str:
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return f"{len(names)} {'files' if len(names) > 1 else 'file'} ({', '.join(names[:_EXAMPLES])}{more})"


def _repeated(manifest: Manifest) -> list[DatasetFinding]:
    """Clips with the same bytes: harmless within a split, a leak between training and test."""
    by_content: dict[str, list[Clip]] = {}
    for clip in manifest.clips:
        if clip.sha256:  # a clip without a hash could not be read
            by_content.setdefault(clip.sha256, []).append(clip)
    findings = []
    for clips in by_content.values():
        if len(clips) > 1:
            leak = "test" in {clip.split for clip in clips} and len({clip.split for clip in clips}) > 1
            names = _names(clips)
            text = f"The clips {names} have the same frames" + (", in training and in test" if leak else "")
            findings.append(DatasetFinding("error" if leak else "remark", text))
    return findings


def _names(clips: Sequence[Clip]) -> str:
    return ", ".join(f"{clip.id} ({clip.split})" for clip in clips)
