"""What a metric is: how it looks at one pair of clips, and how stored values become a clip's or a set's number.

Two kinds. A `ClipMetric` gives every clip a number, made from per-frame columns that are stored, so that any choice of
scored frames is derived later without looking at pixels again. A `SetMetric` (FID, FVD) gives every clip a feature
array and compares two whole sets of them.

Clips are uint8 `[T, H, W, 3]`, prediction and real of the same shape: the 8-bit frames a person can see.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.statistics import log_distance

#: 8-bit RGB `[T, H, W, 3]`, the same as `bench.data.readers.frames.Frames`: neither package imports the other.
Frames = NDArray[np.uint8]
Column = NDArray[np.float64]
#: Name, training seed and sample of a row's videos.
RowKey = tuple[str, int, int]
#: A biased distance ranks rows from so many times its features' dimension of clips on.
ENOUGH = 10
Direction = Literal["lower", "higher", "one"]  # "one": nearest to 1 is best
#: What is best, as it is in a head.
ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑", "one": "→1"}


@dataclass(frozen=True)
class Unavailable:
    """Why a metric cannot be computed here, and the command that mends it. Never a reason to compute something else."""

    metric: str
    reason: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.metric} left out: {self.reason}" + (
            f" (to get it, run `{self.command}`)" if self.command else ""
        )


class UnfitError(BenchError):
    """A metric has no number for such clips (too short, too small, too few): a reason to leave it out, not to stop."""


class Words:
    """What a class says of itself in print, put together from its attributes when it is asked for."""

    def __init__(self, compose: Callable[[Any], str]) -> None:
        self._compose = compose

    def __get__(self, instance: Metric | None, owner: type[Metric]) -> str:
        return self._compose(owner)


def _title(metric: type[Metric], label: str = "") -> str:
    label = label or metric.label or metric.name.upper()
    return f"{label} ({metric.unit})" if metric.unit else label


class Metric(ABC):
    """Everything a table, a figure or a note has to know of a metric is kept beside its definition.

    So a metric of a third party is printed and drawn like ours: no table, axis or note elsewhere
    knows a metric by its name.
    """

    name: ClassVar[str]
    #: The display name, by default `name` in capitals.
    label: ClassVar[str] = ""
    #: Of the printed number, as in "dB"; empty where it has none.
    unit: ClassVar[str] = ""
    direction: ClassVar[Direction]
    range: ClassVar[str]
    #: Digits after the point in a printed table.
    decimals: ClassVar[int] = 4
    #: One line for `bench list metrics` and the note under a table.
    definition: ClassVar[str]
    #: Raised by one whenever the numbers change meaning; part of the protocol id.
    version: ClassVar[int] = 1
    #: Whether it is computed where nobody names metrics.
    default: ClassVar[bool] = True
    #: Whether it computes nothing without published weights, which may have to be fetched.
    needs_weights: ClassVar[bool] = False
    #: What `weights_id` names, for the note under a table.
    basis: ClassVar[str] = "weights"
    #: Scored frames of a clip, pixels of the smaller side and clips below which it has no number.
    min_frames: ClassVar[int] = 1
    min_size: ClassVar[int] = 1
    min_clips: ClassVar[int] = 1
    #: Why a clip may have no finite number, for the note that counts such clips.
    no_value: ClassVar[str] = "no finite value"
    #: What a table's cell says where that is so for every clip of a row.
    no_value_cell: ClassVar[str] = "–"

    #: The display name with its unit, as in "PSNR (dB)".
    title = Words(_title)
    #: Title and arrow, as in "PSNR (dB) ↑": the head of a column.
    head = Words(lambda metric: f"{metric.title} {ARROWS[metric.direction]}")

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """What has to be read with every number of this metric over so many clips of a given length; mostly nothing."""
        return ""

    @classmethod
    def unfit(cls, clips: int, frames: int, size: int) -> Unavailable | None:
        """Why so many clips of so many scored frames, `size` pixels along the smaller side, have no number; or None.

        What only a look at the clips themselves can tell is raised later, as `UnfitError`.
        """
        if clips < cls.min_clips:
            reason = f"it needs {cls.min_clips} clips, but there {'is' if clips == 1 else 'are'} only {clips}"
        elif frames < cls.min_frames:
            reason = f"it needs {cls.min_frames} scored frames per clip, but there are {frames}"
        elif size < cls.min_size:
            reason = (
                f"it needs frames of at least {cls.min_size} × {cls.min_size} pixels, but their shorter side has {size}"
            )
        else:
            return None
        return Unavailable(cls.name, reason)

    def unavailable(self) -> Unavailable | None:
        """Why this metric cannot be computed here, or None. Must be cheap and must not open a socket."""
        return None

    def obtain(self) -> Unavailable | None:
        """Fetch what `unavailable` complains of, where it can be fetched, and say what is missing still.

        Raises `BenchError` where a fetch fails, with the reason.
        """
        return self.unavailable()

    def weights_id(self) -> str:
        """Name and hash of the weights behind the metric, part of the protocol; empty where there are none."""
        return ""


class ClipMetric(Metric):
    """A metric with one number a clip."""

    #: Names of the per-frame columns this metric reads, which are those that `compute` returns.
    columns: ClassVar[tuple[str, ...]]
    #: What an infinite value counts as where rows are ranked and tested: the most extreme one that a clip can have.
    bound: ClassVar[float] = math.nan
    #: What a frame's value counts as at most, in a clip's number and in a curve.
    frame_bound: ClassVar[float] = math.inf
    #: The name over a curve of values by frame, where that is not what `label` says.
    curve_label: ClassVar[str] = ""

    #: The title of a curve over the frame number, as in "SSIM ↑".
    curve_head = Words(lambda metric: f"{_title(metric, metric.curve_label)} {ARROWS[metric.direction]}")

    @classmethod
    def judged(cls, values: Column) -> Column:
        """Clips' numbers as rows are ranked and tested by them; `judged_direction` says which are better.

        A metric that is best at 1 is a ratio, judged by how far its logarithm is from 0: half is as far as double.
        """
        return log_distance(values) if cls.direction == "one" else values

    @classmethod
    def on_scale(cls, values: Column) -> Column:
        """Clips' numbers on the scale on which they are averaged; `from_scale` leads back.

        A metric that is best at 1 is a ratio, of which the geometric mean is printed, since it is judged by logarithms:
        so half and double average to 1. A ratio of 0 counts as exp(−`bound`).
        """
        if cls.direction != "one":
            return values
        with np.errstate(divide="ignore"):
            logarithms = np.log(values)
        return np.where(np.isneginf(logarithms), -cls.bound, logarithms)

    @classmethod
    def from_scale(cls, value: float) -> float:
        """A mean, or an end of its interval, as it is printed; of nothing but zeros, zero."""
        if cls.direction != "one":
            return value
        with np.errstate(over="ignore"):
            return 0.0 if value <= -cls.bound else float(np.exp(value))

    @classmethod
    def judged_direction(cls) -> Literal["lower", "higher"]:
        """Which of the judged values are better."""
        return "higher" if cls.direction == "higher" else "lower"

    @abstractmethod
    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Per-frame columns of one pair of clips, each float64 `[T]`; NaN where a frame has no value.

        Depends on these two clips only: not on batch, order, worker count or what was computed before.
        """

    @abstractmethod
    def clip(self, columns: Mapping[str, Column]) -> float:
        """The clip's number from the columns of its *scored* frames, in order; inf or NaN where it has none.

        A clip that has no finite number is left out of means and counted beside them.
        """

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> Column | None:
        """The curve over the frame number of a row whose columns have these means over its clips; None for no curve.

        By default a metric of one column has that column's curve, and one of several has none.
        """
        return means[cls.columns[0]] if len(cls.columns) == 1 else None


class SetMetric(Metric):
    """A metric with one number for two sets of clips (a Fréchet distance between their features)."""

    #: Of the features.
    dimension: ClassVar[int]
    #: Whether every scored frame is a sample, or every clip.
    per_frame: ClassVar[bool]
    #: Whether the estimate is right on average with few clips; one that is biased orders models wrongly then.
    unbiased: ClassVar[bool] = False
    #: The largest number there is, at which intervals end.
    most: ClassVar[float] = math.inf
    #: Samples (frames of a per-frame metric, else clips) above which its interval would take hours: it has none then.
    largest: ClassVar[int] = 20_000

    @classmethod
    def ranks(cls, clips: int) -> bool:
        """Whether so many clips are enough to say which row is best. Frames of one clip are no samples of their own."""
        return cls.unbiased or clips >= ENOUGH * cls.dimension

    @classmethod
    def not_ranked(cls, clips: int) -> str:
        """Why so many clips rank no rows, where `ranks` says so."""
        return f"too few clips to rank methods by it ({clips} of {ENOUGH * cls.dimension})"

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """How many clips the number is of, and that it is biased where they are fewer than the features' dimension."""
        samples = clips * (frames if cls.per_frame else 1)
        biased = f"; with fewer than {cls.dimension} samples ({samples}) it is biased upwards"
        return f"{clips} clips{biased if samples < cls.dimension else ''}"

    @abstractmethod
    def features(self, clips: Sequence[Frames]) -> list[NDArray[np.float32]]:
        """Features of each clip, `[K, D]` (K = 1 for a clip-level network, T for a frame-level one)."""

    def features_of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[NDArray[np.float32]]:
        """Features of the clips of a row, or of the real ones where `row` is None.

        By default those of the frames alone; a metric of features that somebody computed elsewhere finds them by `ids`.
        """
        return self.features(clips)

    def features_id(self) -> str:
        """What the features depend on beside the clips; metrics of one id have the same, which need one computation."""
        return f"{self.name} v{self.version} {self.weights_id()}"

    @abstractmethod
    def distance(self, predicted: Sequence[NDArray[np.float32]], real: Sequence[NDArray[np.float32]]) -> float:
        """The number of two sets of clips from their features.

        Raises `UnfitError` for sets that have none, as one that is too small.
        """

    def distance_of_videos(
        self,
        predicted: Sequence[NDArray[np.float32]],
        real: Sequence[NDArray[np.float32]],
        videos: Sequence[Any],
        real_videos: Sequence[Any],
        *,
        paired: bool = True,
    ) -> float:
        """`distance`, for a metric that has to know the source videos of the clips; by default they change nothing.

        `videos` and `real_videos` are the names of the videos that each clip of either side is from. If `paired`, clip
        i of one side may belong to clip i of the other; else the order of the clips must change nothing.
        """
        return self.distance(predicted, real)

    def pooled(
        self,
        samples: Sequence[Sequence[NDArray[np.float32]]],
        real: Sequence[NDArray[np.float32]],
        videos: Sequence[Any] | None = None,
    ) -> float:
        """The number of one set of all samples, K videos of each clip, and the real clips, one video of each.

        `samples` are the features of each sample of each clip, `videos` the names of the clips' source videos; without
        them every clip is its own.
        """
        names = range(len(real)) if videos is None else videos
        of_clips = [np.concatenate(of_clip) for of_clip in zip(*samples, strict=True)]
        return self.distance_of_videos(of_clips, real, names, names)

    def without_each(
        self,
        predicted: Sequence[NDArray[np.float32]],
        real: Sequence[NDArray[np.float32]],
        groups: NDArray[np.intp],
        videos: Sequence[Any] | None = None,
    ) -> NDArray[np.float64]:
        """`distance_of_videos` without each group of clips in turn, float64 [G], which a jackknife needs.

        `groups` are the numbers 0 … G − 1 of the groups of source videos that prediction i and its real clip are in,
        `videos` the names of their videos; without them every clip is its own.
        """
        names = range(len(groups)) if videos is None else videos

        def without(group: int) -> float:
            kept = np.flatnonzero(groups != group).tolist()
            of = [names[i] for i in kept]
            return self.distance_of_videos([predicted[i] for i in kept], [real[i] for i in kept], of, of)

        return np.array([without(group) for group in range(int(groups.max()) + 1)])


def best_first(direction: Direction, value: float) -> float:
    """A key under which the best value of a metric sorts first."""
    if direction == "one":
        return abs(math.log(value)) if value > 0 else math.inf
    return value if direction == "lower" else -value
