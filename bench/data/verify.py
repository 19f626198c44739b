"""`bench data verify`: what is wrong with a dataset, file by file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.data.clips import Clip, Listing, Manifest, hashed, manifest_of, problems, with_validation
from bench.data.video import IMAGES, read_image, strip_frames
from bench.errors import BenchError
from bench.progress import task
from bench.registry import DATASETS


@dataclass(frozen=True)
class Finding:
    """One line of the report: an error makes the dataset unusable, a remark does not."""

    kind: Literal["error", "remark"]
    text: str


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes:
        clips: clips by split, where the dataset could be indexed.
        videos: source videos by split.
        findings: in the order of the files.
    """

    clips: dict[str, int]
    videos: dict[str, int]
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether training and scoring can use the dataset as it is."""
        return not any(finding.kind == "error" for finding in self.findings)


def verify(dataset: str, root: Path) -> Verified:
    """Index a dataset and decode every file of it.

    Raises:
        BenchError: the root does not exist, or the dataset is unknown.
    """
    if not root.is_dir():
        raise BenchError(f"The data root {root} does not exist: give the folder of the {dataset} dataset.")
    found, refused, demanded = Listing([]), [], []
    for split in ("train", "test"):
        try:
            listing = DATASETS.load(dataset)(root, (split,))
        except BenchError as error:
            refused.append(str(error))
            continue
        for name, part in vars(listing).items():
            getattr(found, name).extend(part)
        # Where files of a split are broken, they are the reason that it has no clips.
        if not listing.absent and not listing.errors:
            demanded.append(split)
    if not refused and not found.errors and not demanded:
        demanded = ["test"]
    errors = [*refused, *found.errors, *problems(dataset, root, demanded, found)]
    remarks = [*(f"{short}: too short for a clip, left out" for short in found.short), *found.remarks]
    clips, broken = _decoded(with_validation(found.clips), root)
    findings = [Finding("error", text) for text in dict.fromkeys([*errors, *broken])]
    findings += [Finding("remark", text) for text in dict.fromkeys(remarks)]
    manifest = manifest_of(dataset, root, clips, found)
    findings += _repeated(manifest)
    by_split = {split: manifest.split(split) for split in ("train", "val", "test")}
    return Verified(
        {split: len(clips) for split, clips in by_split.items()},
        {split: len({clip.video for clip in clips}) for split, clips in by_split.items()},
        findings,
    )


def _decoded(clips: Sequence[Clip], root: Path) -> tuple[list[Clip], list[str]]:
    """Hash and decode every file of every clip: the clips with hashes, and a sentence for each that cannot be used."""

    def look(clip: Clip) -> tuple[Clip, list[str]]:
        try:
            return hashed(clip, root), _complaints(clip, root)
        except BenchError as error:
            return clip, [str(error)]

    done, broken = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool, task("decoding", len(clips)) as progress:
        for clip, complaints in pool.map(look, clips):
            done.append(clip)
            broken += complaints
            progress.advance()
    return done, broken


def _complaints(clip: Clip, root: Path) -> list[str]:
    complaints = []
    sizes: set[str] = set()
    for file in clip.files(root):
        if file.suffix.lower() not in IMAGES:
            continue
        try:
            frame = read_image(file)
            sizes.add(f"{frame.shape[1]}×{frame.shape[0]}")
            if not clip.names:
                strip_frames(file, frame.shape[1], frame.shape[0])
        except BenchError as error:
            complaints.append(str(error))
    if len(sizes) > 1:
        complaints.append(f"The frames of clip {clip.id} differ in size ({', '.join(sorted(sizes))}).")
    if not complaints and not clip.names:
        try:
            clip.read(root)
        except BenchError as error:
            complaints.append(str(error))
    return complaints


def _repeated(manifest: Manifest) -> list[Finding]:
    """Clips with the same bytes: harmless within a split, a leak between training and test."""
    by_content: dict[str, list[Clip]] = {}
    for clip in manifest.clips:
        if clip.sha256:  # without one it could not be read
            by_content.setdefault(clip.sha256, []).append(clip)
    findings = []
    for clips in by_content.values():
        if len(clips) > 1:
            leak = "test" in {clip.split for clip in clips} and len({clip.split for clip in clips}) > 1
            names = _names(clips)
            text = f"The clips {names} have the same frames" + (", in training and in test" if leak else "")
            findings.append(Finding("error" if leak else "remark", text))
    return findings


def _names(clips: Sequence[Clip]) -> str:
    return ", ".join(f"{clip.id} ({clip.split})" for clip in clips)
