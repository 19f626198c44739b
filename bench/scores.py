"""The tidy tables of a scoring: per frame, per clip, and the summary; the only reader and writer of them.

Everything below the per-frame table is derived from it, so that another choice of scored frames needs no pixels.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.files import atomic_path, read_json, write_json
from bench.metrics.base import ClipMetric, Column, Metric, Unavailable
from bench.protocol import Protocol
from bench.statistics import bootstrap_interval

#: Per-frame values by column name, float64 `[T]` each.
Columns = dict[str, Column]

PER_FRAME = ("row", "seed", "clip", "video", "frame", "metric", "value")
PER_CLIP = ("row", "seed", "clip", "video", "metric", "value")
#: Of the bootstrap; a fixed number, so that an interval is a function of the scores.
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class ScoredClips:
    """Per-frame columns of every row, seed and clip.

    Attributes:
        ids: of the clips, in order.
        videos: source video of each clip.
        columns: by row, seed and clip; rows and seeds in the order of the table.
    """

    ids: Sequence[str]
    videos: Mapping[str, str]
    columns: Mapping[tuple[str, int, str], Columns]

    @property
    def rows(self) -> list[str]:
        """Rows in the order of the table."""
        return list(dict.fromkeys(row for row, _, _ in self.columns))

    def seeds(self, row: str) -> list[int]:
        """Training seeds of a row."""
        return sorted({seed for name, seed, _ in self.columns if name == row})


@dataclass(frozen=True)
class SummaryLine:
    """One number of a table.

    Attributes:
        dataset, row, metric: what it is of.
        value: mean over clips, then over seeds; NaN where no clip has a finite value.
        ci_low, ci_high: 95 % bootstrap interval over source videos.
        clips: how many clips the value is a mean over.
        left_out: how many clips have no finite value (identical clips for `psnr`, still ones for `motion`).
        seeds: how many trainings.
        seed_sd: standard deviation over seeds; NaN with one seed.
        protocol: the protocol's id.
    """

    dataset: str
    row: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    clips: int
    left_out: int
    seeds: int
    seed_sd: float
    protocol: str


def scored_frames(columns: Mapping[str, Column], frames: str) -> Columns:
    """Cut columns to the frames that count: all, or all but the given first one."""
    return {name: values[1:] if frames == "future" else values for name, values in columns.items()}


def clip_values(scored: ScoredClips, metric: ClipMetric, frames: str) -> dict[tuple[str, int, str], float]:
    """A metric's number for every row, seed and clip."""
    return {key: metric.clip(scored_frames(columns, frames)) for key, columns in scored.columns.items()}


def summarise(scored: ScoredClips, metrics: Iterable[ClipMetric], protocol: Protocol) -> list[SummaryLine]:
    """Means over clips with 95 % bootstrap intervals over source videos, a line for each row and metric."""
    lines = []
    for metric in metrics:
        values = clip_values(scored, metric, protocol.frames)
        for row in scored.rows:
            seeds = scored.seeds(row)
            by_seed = np.array([[values[row, seed, clip] for clip in scored.ids] for seed in seeds])
            finite = np.isfinite(by_seed).all(axis=0)  # the same clips for every seed
            kept = by_seed[:, finite]
            videos = [scored.videos[clip] for clip, keep in zip(scored.ids, finite, strict=True) if keep]
            value = low = high = sd = math.nan
            if videos:
                value = float(kept.mean(axis=1).mean())
                interval = bootstrap_interval(kept.mean(axis=0), videos, seed=BOOTSTRAP_SEED)
                low, high = interval.low, interval.high
                sd = float(kept.mean(axis=1).std(ddof=1)) if len(seeds) > 1 else math.nan
            counts = (len(videos), len(scored.ids) - len(videos), len(seeds))
            lines.append(SummaryLine(protocol.dataset, row, metric.name, value, low, high, *counts, sd, protocol.id))
    return lines


def write_scores(
    out: Path,
    scored: ScoredClips,
    metrics: Sequence[Metric],
    protocol: Protocol,
    left_out: Sequence[Unavailable] = (),
) -> list[SummaryLine]:
    """Write `scores/per_frame.csv`, `scores/per_clip.csv`, `scores/protocol.json` and `summary.csv` below `out`."""
    of_clips = [metric for metric in metrics if isinstance(metric, ClipMetric)]
    folder = out / "scores"
    write_csv(folder / "per_frame.csv", PER_FRAME, _frame_rows(scored))
    write_csv(folder / "per_clip.csv", PER_CLIP, _clip_rows(scored, of_clips, protocol.frames))
    protocol.save(folder / "protocol.json")
    write_json(folder / "left_out.json", [asdict(reason) for reason in left_out])
    summary = summarise(scored, of_clips, protocol)
    write_csv(
        out / "summary.csv",
        [f.name for f in fields(SummaryLine)],
        (asdict(line).values() for line in summary),
    )
    return summary


def _frame_rows(scored: ScoredClips) -> Iterator[tuple[Any, ...]]:
    for (row, seed, clip), columns in scored.columns.items():
        for name, values in columns.items():
            for frame, value in enumerate(values, start=1):
                if not math.isnan(value):
                    yield row, seed, clip, scored.videos[clip], frame, name, float(value)


def _clip_rows(scored: ScoredClips, metrics: Iterable[ClipMetric], frames: str) -> Iterator[tuple[Any, ...]]:
    for metric in metrics:
        for (row, seed, clip), value in clip_values(scored, metric, frames).items():
            yield row, seed, clip, scored.videos[clip], metric.name, value


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV atomically, Unix line ends; floats with the digits that give the same float back."""
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([repr(v) if isinstance(v, float) else v for v in row] for row in rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV as one dict a row; a missing file is a `BenchError` that names it."""
    if not path.exists():
        raise BenchError(f"There is no {path}: score the predictions first (`bench score`, or `bench run`).")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_summary(out: Path) -> list[SummaryLine]:
    """Read the lines of `summary.csv`."""
    lines = []
    for row in read_csv(out / "summary.csv"):
        numbers: dict[str, Any] = {name: float(row[name]) for name in ("value", "ci_low", "ci_high", "seed_sd")}
        counts: dict[str, Any] = {name: int(row[name]) for name in ("clips", "left_out", "seeds")}
        lines.append(SummaryLine(**{**row, **numbers, **counts}))
    return lines


def read_scores(out: Path) -> ScoredClips:
    """Read the per-frame table back; frames without a value are NaN."""
    columns: dict[tuple[str, int, str], Columns] = {}
    videos: dict[str, str] = {}
    cells = read_csv(out / "scores" / "per_frame.csv")
    length = max((int(cell["frame"]) for cell in cells), default=0)
    for cell in cells:
        videos[cell["clip"]] = cell["video"]
        of_clip = columns.setdefault((cell["row"], int(cell["seed"]), cell["clip"]), {})
        column = of_clip.setdefault(cell["metric"], np.full(length, math.nan))
        column[int(cell["frame"]) - 1] = float(cell["value"])
    return ScoredClips(tuple(videos), videos, columns)


def read_left_out(out: Path) -> list[Unavailable]:
    """Read which metrics a scoring could not compute, and why."""
    return [Unavailable(**reason) for reason in read_json(out / "scores" / "left_out.json")]
