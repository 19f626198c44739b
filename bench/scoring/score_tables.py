"""The tidy tables of a scoring (per frame, per clip, summary), which only this module reads and writes.

Except for metrics of whole sets, all else is derived from the per-frame table: other scored frames need no pixels.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.files import atomic_path, read_json
from bench.metrics.base import ClipMetric, Column, Unavailable
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.statistics import best_of_samples

#: Per-frame values by column name, float64 `[T]` each; `[K, T]` where a method has K samples of each clip.
Columns = dict[str, Column]
#: A method, the seed of its training run, and a clip; in `SampleKey`, the sample number precedes the clip.
Key = tuple[str, int, str]
SampleKey = tuple[str, int, int, str]


#: If a method has several samples of each clip, a column `sample` follows `seed`.
PER_FRAME = ("row", "seed", "clip", "video", "frame", "metric", "value")


PER_CLIP = ("row", "seed", "clip", "video", "metric", "value")


DIFFERENCES = (
    "metric", "best", "row", "difference", "ci_low", "ci_high", "p", "smallest_p", "clips", "videos", "scope",
)  # fmt: skip


@dataclass(frozen=True)
class ScoredClips:
    """Per-frame columns of every row, seed and clip.

    Attributes:
        ids: IDs of the clips, in order.
        videos: source video of each clip.
        columns: per-frame columns by row, seed and clip; rows and seeds are in the order of the table.
        values: results of `clip_values`, by metric and choice of frames.
    """

    ids: Sequence[str]
    videos: Mapping[str, str]
    columns: Mapping[Key, Columns]
    values: dict[tuple[str, str, int], dict[Key, float]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def rows(self) -> list[str]:
        """Rows in the order of the table."""
        return list(dict.fromkeys(row for row, _, _ in self.columns))

    def seeds(self, row: str) -> list[int]:
        """Training seeds of a row."""
        return sorted({seed for name, seed, _ in self.columns if name == row})

    @property
    def samples(self) -> dict[str, int]:
        """Number of samples per clip of each row."""
        counts = dict.fromkeys(self.rows, 1)
        for (row, _, _), columns in self.columns.items():
            counts[row] = max([counts[row], *(len(np.atleast_2d(values)) for values in columns.values())])
        return counts


@dataclass(frozen=True)
class SummaryLine:
    """One number of a table.

    Attributes:
        dataset, row, metric: what the number describes.
        value: mean over clips, then over seeds; NaN if no clip has a finite value.
        ci_low, ci_high: 95 % interval over source videos and training runs (`scope`); NaN for one video.
        clips: number of clips that the value is a mean over.
        left_out: number of clips without a finite value (identical clips for `psnr`, still ones for `motion`).
        seeds: number of training runs.
        seed_sd: standard deviation over seeds; NaN with one seed.
        protocol: the protocol's id.
        p_best: p value of "no difference from the best method", corrected for the choice of the best among all methods;
            NaN if nothing was tested.
        rank: place of the method by the metric, 1 for the best; 0 if methods are not ranked.
        smallest_p: smallest p value that this many videos can reach; NaN if nothing was tested.
        scope: what the interval covers: "for these trainings" or "over trainings".
        draws: number of times the clips were drawn; the value is the mean over the draws.
        draw_sd: standard deviation over draws; NaN with one draw.
        at_split: for a metric of whole sets, the method's mean over the splits of real vs. real, at the number of clips
            on each side of a split; NaN if there are no splits.
        turned_by: the source video without which the verdict against the best would change; empty if no single video
            has that much weight.
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
    p_best: float = math.nan
    rank: int = 0
    smallest_p: float = math.nan
    scope: str = ""
    draws: int = 1
    draw_sd: float = math.nan
    at_split: float = math.nan
    turned_by: str = ""


#: Columns of `summary.csv` that only some scorings have.
DRAWN_COLUMNS = ("draws", "draw_sd")


def write_summary(out: Path, lines: Sequence[SummaryLine]) -> None:
    """Write `summary.csv`, with columns about draws if clips were drawn several times."""
    drawn = any(line.draws > 1 for line in lines)
    columns = [f.name for f in fields(SummaryLine) if drawn or f.name not in DRAWN_COLUMNS]
    write_csv(RunFolder(out).summary, columns, ([getattr(line, name) for name in columns] for line in lines))


def stack_samples(columns: Mapping[SampleKey, Columns]) -> dict[Key, Columns]:
    """Combine the columns of every sample, `[T]`, by clip: `[K, T]` for rows with several samples."""
    counts: dict[str, int] = {}
    for row, _, sample, _ in columns:
        counts[row] = max(counts.get(row, 0), sample + 1)
    stacked: dict[Key, Columns] = {}
    for row, seed, sample, clip in columns:
        if counts[row] == 1:
            stacked[row, seed, clip] = columns[row, seed, sample, clip]
        elif (row, seed, clip) not in stacked:
            of_samples = [columns.get((row, seed, number, clip), {}) for number in range(counts[row])]
            names = dict.fromkeys(name for one in of_samples for name in one)
            length = max((len(values) for one in of_samples for values in one.values()), default=0)
            nothing = np.full(length, math.nan)  # for a sample without any values
            stacked[row, seed, clip] = {n: np.stack([one.get(n, nothing) for one in of_samples]) for n in names}
    return stacked


def sample_values(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> NDArray[np.float64]:
    """A metric's number for every training seed, clip and sample of a row, `[S, N, K]`."""
    return np.array(
        [[_of_samples(scored.columns[row, seed, clip], metric, protocol) for clip in scored.ids]
         for seed in scored.seeds(row)],
        np.float64,
    )  # fmt: skip


def _of_samples(columns: Columns, metric: ClipMetric, protocol: Protocol) -> Column:
    apart = {name: np.atleast_2d(values) for name, values in columns.items()}
    count = max((len(values) for values in apart.values()), default=1)
    of_each = ({name: values[sample] for name, values in apart.items()} for sample in range(count))
    return np.array([metric.clip(protocol.cut(one)) for one in of_each])


def over_samples(values: NDArray[np.float64], metric: type[ClipMetric], best: int) -> NDArray[np.float64]:
    """Reduce numbers of K samples [..., K] to one number [...]: their mean, or the expected best of `best` of them.

    A single sample is returned as it is: a deterministic method has no best of several.
    """
    if values.shape[-1] == 1:
        return values[..., 0]
    judged = metric.judged(values)
    worse_first = -judged if metric.judged_direction() == "higher" else judged
    return best_of_samples(values, best, lower=worse_first)


def clip_values(scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> dict[Key, float]:
    """A metric's number for every row, seed and clip, computed once; `over_samples` combines several samples."""
    place = metric.name, protocol.frames, protocol.best
    if (values := scored.values.get(place)) is None:
        values = {
            key: float(over_samples(_of_samples(columns, metric, protocol), type(metric), protocol.best))
            for key, columns in scored.columns.items()
        }
        scored.values[place] = values
    return values


def per_frame_columns(scored: ScoredClips) -> tuple[str, ...]:
    """Column names of the per-frame table."""
    sampled = max(scored.samples.values(), default=1) > 1
    return (*PER_FRAME[:2], *(["sample"] if sampled else []), *PER_FRAME[2:])


def frame_rows(scored: ScoredClips) -> Iterator[tuple[Any, ...]]:
    """Lines of the per-frame table; frames without a value have none."""
    sampled = len(per_frame_columns(scored)) > len(PER_FRAME)
    for (row, seed, clip), columns in scored.columns.items():
        for name, of_clip in columns.items():
            for sample, values in enumerate(np.atleast_2d(of_clip)):
                of = (row, seed, *([sample] if sampled else []), clip, scored.videos[clip])
                for frame, value in enumerate(values, start=1):
                    if not math.isnan(value):
                        yield *of, frame, name, float(value)


def clip_rows(scored: ScoredClips, metrics: Iterable[ClipMetric], protocol: Protocol) -> Iterator[tuple[Any, ...]]:
    """Lines of the per-clip table."""
    for metric in metrics:
        for (row, seed, clip), value in clip_values(scored, metric, protocol).items():
            yield row, seed, clip, scored.videos[clip], metric.name, value


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV atomically, with Unix line endings and enough digits to restore each float exactly."""
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([repr(v) if isinstance(v, float) else v for v in row] for row in rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV as one dict per row; a missing file is a `BenchError` that names it."""
    if not path.exists():
        raise BenchError(
            f"The file {path} does not exist. Score the predictions first (`bench score`, or `bench run`)."
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_summary(out: Path) -> list[SummaryLine]:
    """Read the lines of `summary.csv`; a file that another version wrote is a `BenchError`."""
    path = RunFolder(out).summary
    kinds: dict[str, Any] = {"value": float, "ci_low": float, "ci_high": float, "seed_sd": float, "p_best": float}
    kinds |= {"clips": int, "left_out": int, "seeds": int, "rank": int, "smallest_p": float, "at_split": float}
    kinds |= {"draws": int, "draw_sd": float}
    required = [f.name for f in fields(SummaryLine) if f.default is MISSING]
    names = [f.name for f in fields(SummaryLine)]
    try:
        lines = [
            # Columns that a later version added may be missing in an older folder.
            SummaryLine(**{name: kinds.get(name, str)(row[name]) for name in names if name in row or name in required})
            for row in read_csv(path)
        ]
    except (KeyError, ValueError) as error:
        raise BenchError(f"{path} was written by another version, or edited by hand. Score again.") from error
    stamp = Protocol.load(RunFolder(out).protocol).id
    if any(line.protocol.split("/")[: stamp.count("/") + 1] != stamp.split("/") for line in lines):
        raise BenchError(
            f"{path} does not have the protocol ID {stamp} of its folder, because a scoring was interrupted. "
            "Score again."
        )
    return lines


def read_scores(out: Path) -> ScoredClips:
    """Read the per-frame table back; frames without a value are NaN."""
    columns: dict[SampleKey, Columns] = {}
    videos: dict[str, str] = {}
    length = Protocol.load(RunFolder(out).protocol).length
    with RunFolder(out).per_frame.open(newline="", encoding="utf-8") as file:  # line by line, because it may be large
        for cell in csv.DictReader(file):
            videos[cell["clip"]] = cell["video"]
            key = (cell["row"], int(cell["seed"]), int(cell.get("sample", 0)), cell["clip"])
            column = columns.setdefault(key, {}).setdefault(cell["metric"], np.full(length, math.nan))
            column[int(cell["frame"]) - 1] = float(cell["value"])
    return ScoredClips(tuple(videos), videos, stack_samples(columns))


def read_account(out: Path) -> dict[str, Any]:
    """How a folder was made: a run's `run.json`, or the record of `bench score`; empty for folders from before 0.3."""
    folder = RunFolder(out)
    path = folder.account if folder.account.exists() else folder.scored_by
    return dict(read_json(path)) if path.exists() else {}


@dataclass(frozen=True)
class Primary:
    """The metric that was named as the primary one, on which a claim rests; empty if none was named.

    Attributes:
        metric: its name.
        before: whether it was named before the folder had any scores.
    """

    metric: str = ""
    before: bool = True


def read_primary(out: Path) -> Primary:
    """Read which metric was named as the primary one of a folder."""
    path = RunFolder(out).notes
    return Primary(**(read_json(path).get("primary", {}) if path.exists() else {}))


def read_notes(out: Path) -> tuple[list[Unavailable], list[str]]:
    """Read which metrics a scoring could not compute, and the notes to be read with its numbers."""
    content = read_json(RunFolder(out).notes)
    return [Unavailable(**reason) for reason in content["left_out"]], content["notes"]
