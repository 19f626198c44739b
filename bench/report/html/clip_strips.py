"""Clips that a page plays: one image per clip, with its frames from top to bottom, moved behind a window."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from bench.data.predictions import Predictions
from bench.data.readers.video import Frames, resize
from bench.metrics.base import ClipMetric, best_first
from bench.report.row_names import RowNames
from bench.runfolder import REAL, RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips, clip_values

#: Maximum height of a frame in pixels; no page shows more. WebP images are limited to 16,383 pixels: 32 frames fit.
LARGEST = 256
QUALITY = 90


@dataclass(frozen=True)
class ClipTile:
    """A clip on the page: the name of its strip, the label below it, and the text for screen readers."""

    strip: str
    label: str
    aria_label: str


@dataclass(frozen=True)
class ClipGroup:
    """Clips side by side under a heading, driven by the page's single clock."""

    heading: str
    tiles: list[ClipTile]
    text: str = ""


@dataclass
class StripStore:
    """The strips of a page, each stored once regardless of how often it is shown.

    Attributes:
        run: run folder.
        names: display names of the rows.
        sources: `data:` URIs by name.
        frames: number of frames of the clips.
        ratio: width of a frame divided by its height.
    """

    run: RunFolder
    names: RowNames
    sources: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    ratio: float = 1.0
    _stored: dict[tuple[str, str], str] = field(default_factory=dict)

    def tile(self, row: str, id: str, label: str) -> ClipTile:
        """The tile of a row's clip (or of a clip of "real")."""
        if (row, id) not in self._stored:
            clip = Predictions(self.run.predictions(row)).read(id)
            name = f"s{len(self._stored)}"
            self._stored[row, id], self.sources[name] = name, strip_uri(clip)
            self.frames, self.ratio = max(self.frames, len(clip)), clip.shape[2] / clip.shape[1]
        return ClipTile(self._stored[row, id], label, f"{self.names.title(row)}, clip {id}")

    def has(self, row: str) -> bool:
        """Whether the run keeps a row's clips."""
        return self.run.predictions(row).is_dir()


def strip_uri(clip: Frames) -> str:
    """A clip uint8 `[T, H, W, 3]` as a `data:` URI of a WebP image; above 256 pixels it is scaled down."""
    shown = clip if clip.shape[1] <= LARGEST else resize(clip, LARGEST)
    out = io.BytesIO()
    Image.fromarray(shown.reshape(-1, *shown.shape[2:])).save(out, "WEBP", quality=QUALITY, method=4)
    return data_uri("webp", out.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """An image of a kind ("png", "webp") as a `data:` URI that a page can embed."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def sample_groups(strips: StripStore, rows: Sequence[str], ids: Sequence[str]) -> list[ClipGroup]:
    """One group per clip: the real clip, then the clip of every row."""
    shown = [row for row in (REAL, *rows) if strips.has(row)]
    return [ClipGroup(f"Clip {id}", [strips.tile(row, id, strips.names.title(row)) for row in shown]) for id in ids]


def extreme_groups(strips: StripStore, scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> list[ClipGroup]:
    """One group per row: its best and worst clip by a metric, each next to the real one; first seed only."""
    values = clip_values(scored, metric, protocol)
    groups = []
    for row in scored.rows:
        if not strips.has(row):
            continue
        seed = scored.seeds(row)[0]
        of_clips = {id: values[row, seed, id] for id in scored.ids}
        # NaN is neither best nor worst.
        finite = [id for id, value in of_clips.items() if not math.isnan(value)]
        ranked = sorted(finite, key=lambda id: best_first(metric.direction, of_clips[id]))
        if not ranked:
            continue
        tiles, labels = [], []
        count = scored.samples[row]
        several = f" over {count} samples, the first shown" if count > 1 else ""
        for word, id in {"best": ranked[0], "worst": ranked[-1]}.items():
            tiles += [
                strips.tile(REAL, id, f"{word}: real"),
                strips.tile(row, id, f"{metric.title} {of_clips[id]:.3f}{several}"),
            ]
            labels.append(f"{word} {id}")
        groups.append(ClipGroup(strips.names.title(row), tiles, "; ".join(labels)))
    return groups
