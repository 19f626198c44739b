"""The protocol of every table: what must be equal for two numbers to be comparable, and which frames are scored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.data.clips import FRAMES
from bench.data.readers.video import Frames, resize
from bench.errors import BenchError
from bench.files import read_json, write_json
from bench.metrics.base import Column
from bench.scoring.protocol_choices import CHOICES, Choices, skipped_frames, with_flag

#: Incremented whenever the meaning of a number changes in a way that no metric's own version covers. Version 2: frames
#: are read as people see them (orientation, alpha, chroma, edit lists), and methods are ranked by paired clips.
DEFINITION = 2
#: Metric versions introduced before IDs included versions. Later versions appear in the ID, as in "kvd.v2".
UNNAMED_VERSIONS = {"fvd": 2, "psnr_frame": 2}


@dataclass(frozen=True)
class Protocol:
    """What must be equal for two numbers to be comparable; its `id` appears on every table.

    Attributes:
        dataset: registered name, marked "synthetic" for the synthetic dataset.
        resolution: side of the scored frames in pixels, or their height if they are not square.
        frames: "all", "future", or "context10-future" if the first 10 frames are given.
        clips: number of scored clips; if sets are not paired, number of real clips.
        manifest: hash of the clips' IDs and contents.
        partial: whether clips without a prediction were left out (`--allow-partial`).
        metrics: version of each metric's definition, with the name and hash of its weights if it has any.
        length: number of frames used from each clip.
        width: width of the scored frames in pixels if they are not square, else 0.
        whole: number of frames that the clips have if only `length` of them are used, else 0.
        sampling: which frames are used: "first", or "random" by the hash of a clip's ID.
        definition: `DEFINITION` at the time of the scoring; 1 if a folder does not record it.
        samples: number of samples per clip of the method that has the most.
        best: a clip's number is the expected best of this many of its samples; 1 for their mean.
        choices: all other settings that differ from their defaults.
    """

    dataset: str
    resolution: int
    frames: str
    clips: int
    manifest: str
    partial: bool
    metrics: Mapping[str, str] = field(default_factory=dict)
    length: int = FRAMES
    width: int = 0
    whole: int = 0
    sampling: str = "first"
    definition: int = 1
    samples: int = 1
    best: int = 1
    choices: Choices = field(default_factory=Choices)

    @property
    def frames_to_read(self) -> int:
        """Number of frames that a clip must have."""
        return self.whole or self.span

    @property
    def span(self) -> int:
        """Number of consecutive frames over which the used frames are spread."""
        return span(self.length, self.choices.stride)

    def window(self, id: str) -> slice:
        """The frames of a clip that are used: its first ones, or a window determined by its ID alone."""
        last = self.frames_to_read - self.span
        start = hashed_number(f"window {id}") % (last + 1) if self.sampling == "random" else 0
        return slice(start, start + self.span, self.choices.stride)

    def fit(self, frames: Frames) -> Frames:
        """Bring frames, uint8 `[T, H, W, 3]`, to the scored size.

        Cropping comes first, so that resizing starts from a square. If the scored size is not square, frames must
        have that size already.

        Raises:
            BenchError: the scored frames are not square and these have another size.
        """
        if self.choices.crop == "centre":
            frames = middle_square(frames)
        if frames.shape[1:3] == (self.resolution, self.width or self.resolution):
            return frames
        if self.width:
            raise BenchError(
                f"Frames of {frames.shape[2]}×{frames.shape[1]} cannot be compared with {self.size}. Give a "
                "resolution, to which both are resized."
            )
        return resize(frames, self.resolution)

    @property
    def size(self) -> str:
        """Width and height in pixels, for a caption."""
        return f"{self.width or self.resolution}×{self.resolution}"

    @property
    def skipped(self) -> int:
        """Number of a clip's first frames that are not scored."""
        return skipped_frames(self.frames)

    @property
    def scored(self) -> slice:
        """The used frames that are scored."""
        if not self.choices.part:
            return slice(self.skipped, self.length)
        first, last = map(int, self.choices.part.split("-"))
        return slice(self.skipped + first - 1, self.skipped + last)

    @property
    def scored_frames(self) -> int:
        """Number of frames scored in each clip."""
        return self.scored.stop - self.scored.start

    @property
    def smaller_side(self) -> int:
        """Number of clips on the smaller of the two sides."""
        return min(self.clips, self.choices.generated or self.clips)

    @property
    def frames_in_words(self) -> str:
        """Description of the scored frames, for a caption."""
        given = "the given one" if self.skipped == 1 else f"the {self.skipped} given ones"
        if self.whole:
            which = f"the first {self.length}" if self.sampling == "first" else f"{self.length} consecutive"
            which = which if self.choices.stride == 1 else f"{self.length}"  # the choices mention the stride
            left_out = f", the first{f' {self.skipped}' if self.skipped > 1 else ''} left out"
            return f"{which} of {self.whole} frames" + (left_out if self.skipped else "")
        if self.choices.unpaired:
            return f"{self.length} frames of each video" + (f" without {given}" if self.skipped else "")
        return f"the {self.length - self.skipped} frames after {given}" if self.skipped else f"all {self.length} frames"

    def cut(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Per-frame columns, cut to the frames that are scored."""
        return {name: values[self.scored] for name, values in columns.items()}

    @property
    def id(self) -> str:
        """The protocol ID, with `/partial` if clips are missing.

        >>> Protocol("sky", 64, "future", 10, "1a2b3c4d5e", partial=False).id
        'v1/sky/64px/future31/10clips/1a2b3c4d'
        """
        size = f"{self.width}x{self.resolution}px" if self.width else f"{self.resolution}px"
        window = f"-{self.sampling}-of-{self.whole}" if self.whole else ""
        if self.choices.unpaired and self.sampling != "first":
            window = f"-{self.sampling}"
        parts = [f"v{self.definition}", self.dataset, size, f"{self.frames}{self.length - self.skipped}{window}"]
        parts += [f"{self.clips}clips", self.manifest[:8]]
        parts += [f"{self.samples}samples"] if self.samples > 1 else []
        parts += [f"best{self.best}"] if self.best > 1 else []
        parts += ["partial"] if self.partial else []
        return "/".join([*parts, *self.choices.stamps()])

    def id_of(self, metric: str) -> str:
        """The ID of one metric's numbers, with the hash of its weights if it has any, and its version if incremented.

        >>> Protocol("sky", 64, "all", 10, "1a2b3c4d", False, {"kvd": "v2 i3d.pt sha256:beba2715a7"}).id_of("kvd")
        'v1/sky/64px/all32/10clips/1a2b3c4d/kvd.v2:beba2715'
        """
        computed = self.metrics.get(metric, "")
        digest, version = re.search(r"sha256:([0-9a-f]{8})", computed), re.match(r"v(\d+)", computed)
        raised = version is not None and int(version[1]) > UNNAMED_VERSIONS.get(metric, 1)
        name = f"{metric}.v{version[1]}" if version and raised else metric
        if digest:
            return f"{self.id}/{name}:{digest[1]}"
        return f"{self.id}/{name}" if raised else self.id

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON with the ID; `samples`, `best` and choices appear only if they differ from their defaults."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "choices"}
        plain = {key: value for key, value in plain.items() if key not in ("samples", "best") or value > 1}
        return {"id": self.id, **plain, "metrics": dict(self.metrics), **self.choices.to_dict()}

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.to_dict())

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Protocol:
        """Read what `to_dict` returns; a `BenchError` lists missing or unknown keys."""
        items = {f.name: f for f in fields(Protocol) if f.name != "choices"}
        required = {n for n, f in items.items() if f.default is MISSING and f.default_factory is MISSING}
        wrong = [f"{key} is missing" for key in sorted(required - content.keys())]
        wrong += [f"{key} is unknown" for key in sorted(content.keys() - items.keys() - CHOICES.keys() - {"id"})]
        if wrong:
            raise BenchError(", ".join(wrong))
        choices = Choices(**{key: value for key, value in content.items() if key in CHOICES})
        return Protocol(**{key: value for key, value in content.items() if key in items}, choices=choices)

    @staticmethod
    def load(path: Path) -> Protocol:
        """Read what `save` wrote; any other content is a `BenchError` that names the file."""
        content = read_json(path)
        if not isinstance(content, dict):
            raise BenchError(f"{path} is not a protocol file. Score again.")
        try:
            return Protocol.from_dict(content)
        except BenchError as error:
            raise BenchError(f"{path} is not a protocol file of this version ({error}). Score again.") from error

    def differences(self, other: Protocol) -> list[str]:
        """Differences between two protocols, one text per item; metrics that only one of them has do not count."""
        keys = [f.name for f in fields(self) if f.name not in ("metrics", "choices")]
        pairs = [(key, getattr(self, key), getattr(other, key)) for key in keys]
        pairs += [(with_flag(key), getattr(self.choices, key), getattr(other.choices, key)) for key in CHOICES]
        differing = [f"{key} is {mine!r} and {theirs!r}" for key, mine, theirs in pairs if mine != theirs]
        shared = sorted(set(self.metrics) & set(other.metrics))
        computed = [(metric, self.metrics[metric], other.metrics[metric]) for metric in shared]
        return differing + [f"{metric} is {mine} and {theirs}" for metric, mine, theirs in computed if mine != theirs]


def span(length: int, stride: int) -> int:
    """Number of consecutive frames over which `length` frames are spread if every `stride`-th one is used."""
    return (length - 1) * stride + 1


def hashed_number(text: str) -> int:
    """A number determined by a text alone, the same on every machine."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def middle_square(frames: Frames) -> Frames:
    """The middle square of frames uint8 `[T, H, W, 3]`, as large as their smaller side allows."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]
