"""`bench data verify`: what is wrong with a dataset, file by file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.data.clips import Clip, Manifest, build_manifest
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
    findings: list[Finding] = []
    manifest = None
    splits = []
    for split in ("train", "test"):
        try:
            listing = DATASETS.load(dataset)(root, (split,))
        except BenchError as error:
            findings.append(Finding("error", str(error)))
            continue
        splits.append(split)
        findings += [Finding("remark", f"{short}: too short for a clip, left out") for short in listing.short]
        findings += [Finding("remark", text) for text in listing.remarks if Finding("remark", text) not in findings]
    try:
        manifest = build_manifest(dataset, root, splits) if splits else None
    except BenchError as error:
        findings.append(Finding("error", str(error)))
    if manifest:
        findings += _broken(manifest)
        findings += _repeated(manifest)
    clips = {split: manifest.split(split) if manifest else [] for split in ("train", "val", "test")}
    return Verified(
        {split: len(found) for split, found in clips.items()},
        {split: len({clip.video for clip in found}) for split, found in clips.items()},
        findings,
    )


def _broken(manifest: Manifest) -> Iterator[Finding]:
    """Decode every file of every clip; each file that cannot be used is one finding."""
    with ThreadPoolExecutor(os.cpu_count()) as pool, task("decoding", len(manifest.clips)) as progress:
        for complaints in pool.map(lambda clip: _complaints(clip, manifest.root), manifest.clips):
            yield from (Finding("error", complaint) for complaint in complaints)
            progress.advance()


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
