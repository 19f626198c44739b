"""The stamp on every table: what has to be equal for two numbers to be comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.data.clips import FRAMES
from bench.files import read_json, write_json

#: Raised whenever the meaning of a number changes in a way that no metric's own version says.
DEFINITION = 1


@dataclass(frozen=True)
class Protocol:
    """What has to be equal for two numbers to be comparable; its `id` stands on every table.

    Attributes:
        dataset: registered name, with "synthetic" said where the scenes are ours.
        resolution: side of the scored frames in pixels.
        frames: "all" or "future".
        clips: how many clips are scored.
        manifest: hash of their ids and contents.
        partial: whether clips without a prediction were left out (`--allow-partial`).
        metrics: version of each metric's definition, with the weights' hash where it has weights.
    """

    dataset: str
    resolution: int
    frames: str
    clips: int
    manifest: str
    partial: bool
    metrics: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """For example `v1/sky/64px/all32/10clips/1a2b3c4d`, with `/partial` where clips are missing."""
        frames = FRAMES if self.frames == "all" else FRAMES - 1
        parts = [f"v{DEFINITION}", self.dataset, f"{self.resolution}px", f"{self.frames}{frames}"]
        parts += [f"{self.clips}clips", self.manifest[:8], *(["partial"] if self.partial else [])]
        return "/".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, with the id."""
        return {"id": self.id, **asdict(self)}

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.to_dict())

    @staticmethod
    def load(path: Path) -> Protocol:
        """Read what `save` wrote."""
        content = read_json(path)
        return Protocol(**{key: value for key, value in content.items() if key != "id"})
