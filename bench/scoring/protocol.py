"""The stamp on every table: what has to be equal for two numbers to be comparable; and which frames are scored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.config import SCORED_FRAMES
from bench.data.clips import FRAMES
from bench.data.readers.video import Frames, resize
from bench.errors import BenchError
from bench.files import read_json, write_json
from bench.metrics.base import Column

#: Raised whenever the meaning of a number changes in a way that no metric's own version says. 2: frames are read as
#: people see them (orientation, alpha, chroma, edit lists), and rows are ranked by paired clips.
DEFINITION = 2


@dataclass(frozen=True)
class Protocol:
    """What has to be equal for two numbers to be comparable; its `id` stands on every table.

    Attributes:
        dataset: registered name, with "synthetic" said where the scenes are ours.
        resolution: side of the scored frames in pixels; their height where they are not square.
        frames: "all" or "future".
        clips: how many clips are scored.
        manifest: hash of their ids and contents.
        partial: whether clips without a prediction were left out (`--allow-partial`).
        metrics: version of each metric's definition, with the weights' name and hash where it has weights.
        length: frames of a clip that are looked at.
        width: of the scored frames in pixels where they are not square, else 0.
        whole: frames that the clips have where only `length` of them are looked at, else 0.
        sampling: which those are: "first", or "random" by the hash of a clip's id.
        definition: `DEFINITION` at the time of the scoring; 1 where a folder does not say.
        samples: of each clip, of the method that has most.
        best: a clip's number is the expected best of this many of its samples; 1 for their mean.
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

    @property
    def frames_to_read(self) -> int:
        """How many frames a clip has to have."""
        return self.whole or self.length

    def window(self, id: str) -> slice:
        """Which frames of a clip are looked at: its first ones, or a window that follows from its id alone."""
        last = self.frames_to_read - self.length
        drawn = int(hashlib.sha256(f"window {id}".encode()).hexdigest(), 16) % (last + 1)
        start = drawn if self.sampling == "random" else 0
        return slice(start, start + self.length)

    def fit(self, frames: Frames) -> Frames:
        """Frames uint8 `[T, H, W, 3]` at the scored size; of frames that are not square only what has that size.

        Raises:
            BenchError: the scored frames are not square and these have another size.
        """
        if frames.shape[1:3] == (self.resolution, self.width or self.resolution):
            return frames
        if self.width:
            raise BenchError(
                f"Frames of {frames.shape[2]}×{frames.shape[1]} cannot be scored beside {self.size}: "
                "give a resolution, to which both are then brought."
            )
        return resize(frames, self.resolution)

    @property
    def size(self) -> str:
        """Width and height in pixels, for a caption."""
        return f"{self.width or self.resolution}×{self.resolution}"

    @property
    def skipped(self) -> int:
        """How many of a clip's first frames are not scored."""
        return SCORED_FRAMES[self.frames]

    @property
    def scored_frames(self) -> int:
        """How many frames of a clip are scored."""
        return self.length - self.skipped

    @property
    def frames_in_words(self) -> str:
        """Which frames are scored, for a caption."""
        if self.whole:
            which = f"the first {self.length}" if self.sampling == "first" else f"{self.length} consecutive"
            return f"{which} of {self.whole} frames" + (", the first left out" if self.skipped else "")
        return f"the {self.scored_frames} frames after the given one" if self.skipped else f"all {self.length} frames"

    def cut(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Per-frame columns, cut to the frames that are scored."""
        return {name: values[self.skipped :] for name, values in columns.items()}

    @property
    def id(self) -> str:
        """The stamp, with `/partial` where clips are missing.

        >>> Protocol("sky", 64, "future", 10, "1a2b3c4d5e", partial=False).id
        'v1/sky/64px/future31/10clips/1a2b3c4d'
        """
        size = f"{self.width}x{self.resolution}px" if self.width else f"{self.resolution}px"
        window = f"-{self.sampling}-of-{self.whole}" if self.whole else ""
        parts = [f"v{self.definition}", self.dataset, size, f"{self.frames}{self.scored_frames}{window}"]
        parts += [f"{self.clips}clips", self.manifest[:8]]
        parts += [f"{self.samples}samples"] if self.samples > 1 else []
        parts += [f"best{self.best}"] if self.best > 1 else []
        parts += ["partial"] if self.partial else []
        return "/".join(parts)

    def id_of(self, metric: str) -> str:
        """The id of one metric's numbers: with the weights' hash where the metric has weights."""
        digest = re.search(r"sha256:([0-9a-f]{8})", self.metrics.get(metric, ""))
        return f"{self.id}/{metric}:{digest[1]}" if digest else self.id

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, with the id; samples are told only where there are several."""
        content = {"id": self.id, **asdict(self)}
        return {key: value for key, value in content.items() if key not in ("samples", "best") or value > 1}

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.to_dict())

    @staticmethod
    def load(path: Path) -> Protocol:
        """Read what `save` wrote; a `BenchError` that names the file where it is something else."""
        content = read_json(path)
        if not isinstance(content, dict):
            raise BenchError(f"{path} is no protocol: score again.")
        content.pop("id", None)
        items = fields(Protocol)
        required = {f.name for f in items if f.default is MISSING and f.default_factory is MISSING}
        wrong = [f"{key} is missing" for key in sorted(required - content.keys())]
        wrong += [f"{key} is unknown" for key in sorted(content.keys() - {f.name for f in items})]
        if wrong:
            raise BenchError(f"{path} is no protocol of this version ({', '.join(wrong)}): score again.")
        return Protocol(**content)
