"""Interface of a metric: how it compares a pair of clips, and how stored values become one number per clip or set.

There are two kinds. A `ClipMetric` gives every clip a number. The number is made from stored per-frame columns, so a
different choice of scored frames does not require the pixels again. A `SetMetric` (FID, FVD) gives every clip a feature
array and compares two whole sets of them.

Clips are uint8 `[T, H, W, 3]`; prediction and real clip have the same shape. They are the 8-bit frames a person can
see.
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

#: 8-bit RGB `[T, H, W, 3]`, the same as `bench.data.readers.frames.Frames`; neither package imports the other.
Frames = NDArray[np.uint8]
Column = NDArray[np.float64]
#: Name, training seed and sample of a method's videos.
RowKey = tuple[str, int, int]
#: Clips per feature dimension from which a biased distance ranks methods.
ENOUGH = 10
Direction = Literal["lower", "higher", "one"]  # "one": nearest to 1 is best
#: Which values are best, as printed in column heads.
ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑", "one": "→1"}


@dataclass(frozen=True)
class Unavailable:
    """Why a metric cannot be computed here, and the command that fixes it; never a reason to compute something else."""

    metric: str
    reason: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.metric} left out: {self.reason}" + (
            f" (to get it, run `{self.command}`)" if self.command else ""
        )


class UnfitError(BenchError):
    """A metric is undefined for these clips (too short, too small, too few): callers omit it instead of stopping."""


class Words:
    """Descriptor of a display text, composed from the attributes of the class on access."""

    def __init__(self, compose: Callable[[Any], str]) -> None:
        self._compose = compose

    def __get__(self, instance: Metric | None, owner: type[Metric]) -> str:
        return self._compose(owner)


def _title(metric: type[Metric], label: str = "") -> str:
    label = label or metric.label or metric.name.upper()
    return f"{label} ({metric.unit})" if metric.unit else label


class Metric(ABC):
    """Base class of metrics, with everything that tables, figures and notes need to know about one.

    Third-party metrics are therefore printed and drawn like built-in ones: no table, axis or note
    refers to a metric by its name.
    """

    name: ClassVar[str]
    #: The display name, by default `name` in capitals.
    label: ClassVar[str] = ""
    #: Unit of the printed number, such as "dB"; empty if it has none.
    unit: ClassVar[str] = ""
    direction: ClassVar[Direction]
    range: ClassVar[str]
    #: Decimal places in a printed table.
    decimals: ClassVar[int] = 4
    #: One line for `bench list metrics` and the note under a table.
    definition: ClassVar[str]
    #: Incremented whenever the numbers change meaning; part of the protocol ID.
    version: ClassVar[int] = 1
    #: Whether it is computed if the user names no metrics.
    default: ClassVar[bool] = True
    #: Whether it requires published weights, which may have to be fetched.
    needs_weights: ClassVar[bool] = False
    #: What `weights_id` identifies, for the note under a table.
    basis: ClassVar[str] = "weights"
    #: Minimum number of scored frames per clip, of pixels along the shorter side, and of clips.
    min_frames: ClassVar[int] = 1
    min_size: ClassVar[int] = 1
    min_clips: ClassVar[int] = 1
    #: Why a clip may have no finite number, for the note that counts such clips.
    no_value: ClassVar[str] = "no finite value"
    #: Table cell of a method if none of its clips has a finite value.
    no_value_cell: ClassVar[str] = "–"

    #: Display name with unit, as in "PSNR (dB)".
    title = Words(_title)
    #: Column head: title and arrow, as in "PSNR (dB) ↑".
    head = Words(lambda metric: f"{metric.title} {ARROWS[metric.direction]}")

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """Caveat to print with every number over `clips` clips of `frames` frames; empty for most metrics."""
        return ""

    @classmethod
    def unfit(cls, clips: int, frames: int, size: int) -> Unavailable | None:
        """Why `clips` clips of `frames` scored frames, `size` pixels along the shorter side, have no number; or None.

        Problems that only the clips themselves reveal are raised later, as `UnfitError`.
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
        """Return why this metric cannot be computed here, or None if it can.

        This must be cheap and must not open a socket.
        """
        return None

    def obtain(self) -> Unavailable | None:
        """Fetch what `unavailable` reports as missing, if possible, and return what is still missing.

        Raises `BenchError` with the reason if a fetch fails.
        """
        return self.unavailable()

    def weights_id(self) -> str:
        """Name and hash of the metric's weights, part of the protocol; empty if it has none."""
        return ""


class ClipMetric(Metric):
    """A metric with one number per clip."""

    #: Names of the per-frame columns that `compute` returns and `clip` reads.
    columns: ClassVar[tuple[str, ...]]
    #: Replaces infinite values when methods are ranked and tested: the most extreme value that a clip can have.
    bound: ClassVar[float] = math.nan
    #: Upper limit of a frame's value, in a clip's number and in a curve.
    frame_bound: ClassVar[float] = math.inf
    #: Name above a curve of values by frame, if it differs from `label`.
    curve_label: ClassVar[str] = ""

    #: Title of a curve over the frame number, as in "SSIM ↑".
    curve_head = Words(lambda metric: f"{_title(metric, metric.curve_label)} {ARROWS[metric.direction]}")

    @classmethod
    def judged(cls, values: Column) -> Column:
        """Clips' numbers in the form by which methods are ranked and tested; see `judged_direction`.

        A metric that is best at 1 is a ratio. It is judged by how far its logarithm is from 0: half is as far as
        double.
        """
        return log_distance(values) if cls.direction == "one" else values

    @classmethod
    def on_scale(cls, values: Column) -> Column:
        """Clips' numbers on the scale on which they are averaged; `from_scale` converts back.

        A metric that is best at 1 is a ratio that is judged by logarithms. Its geometric mean is printed, so half and
        double average to 1. A ratio of 0 counts as exp(−`bound`).
        """
        if cls.direction != "one":
            return values
        with np.errstate(divide="ignore"):
            logarithms = np.log(values)
        return np.where(np.isneginf(logarithms), -cls.bound, logarithms)

    @classmethod
    def from_scale(cls, value: float) -> float:
        """A mean, or an end of its interval, converted for printing; the mean of zeros alone is 0."""
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

        The result depends on these two clips only, not on batch, order, worker count or earlier computations.
        """

    @abstractmethod
    def clip(self, columns: Mapping[str, Column]) -> float:
        """The clip's number from the columns of its *scored* frames, in order; inf or NaN if it has none.

        A clip without a finite number is left out of means and counted separately.
        """

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> Column | None:
        """A method's curve over the frame number, from its columns' means over clips; None for no curve.

        By default, a metric with one column uses that column as its curve, and one with several has no curve.
        """
        return means[cls.columns[0]] if len(cls.columns) == 1 else None


class SetMetric(Metric):
    """A metric with one number for two sets of clips (a Fréchet distance between their features)."""

    #: Dimension of the features.
    dimension: ClassVar[int]
    #: Whether each scored frame is a sample; otherwise, each clip is one.
    per_frame: ClassVar[bool]
    #: Whether the estimate is right on average with few clips; a biased one then orders methods wrongly.
    unbiased: ClassVar[bool] = False
    #: Largest possible value, at which intervals end.
    most: ClassVar[float] = math.inf
    #: Samples (frames of a per-frame metric, else clips) above which it has no interval, which would take hours.
    largest: ClassVar[int] = 20_000

    @classmethod
    def ranks(cls, clips: int) -> bool:
        """Whether `clips` clips are enough to rank methods; frames of one clip are not independent samples."""
        return cls.unbiased or clips >= ENOUGH * cls.dimension

    @classmethod
    def not_ranked(cls, clips: int) -> str:
        """Why `clips` clips are too few to rank methods, if `ranks` returns False."""
        return f"too few clips to rank methods by it ({clips} of {ENOUGH * cls.dimension})"

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """The number of clips, and a warning of bias if there are fewer samples than feature dimensions."""
        samples = clips * (frames if cls.per_frame else 1)
        biased = f"; with fewer than {cls.dimension} samples ({samples}) it is biased upwards"
        return f"{clips} clips{biased if samples < cls.dimension else ''}"

    @abstractmethod
    def features(self, clips: Sequence[Frames]) -> list[NDArray[np.float32]]:
        """Features of each clip, `[K, D]` (K = 1 for a clip-level network, T for a frame-level one)."""

    def features_of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[NDArray[np.float32]]:
        """Features of a method's clips, or of the real ones if `row` is None.

        By default, they depend on the frames alone; a metric of precomputed features looks them up by `ids`.
        """
        return self.features(clips)

    def features_id(self) -> str:
        """What the features depend on besides the clips; metrics with the same ID share one computation."""
        return f"{self.name} v{self.version} {self.weights_id()}"

    @abstractmethod
    def distance(self, predicted: Sequence[NDArray[np.float32]], real: Sequence[NDArray[np.float32]]) -> float:
        """The metric's number for two sets of clips, from their features.

        Raises `UnfitError` for sets that have none, such as a set that is too small.
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
        """`distance` for metrics that need the clips' source videos; by default, the videos change nothing.

        `videos` and `real_videos` name the source video of each clip on either side. If `paired`, clip i of one side
        may belong to clip i of the other; otherwise, the order of the clips must change nothing.
        """
        return self.distance(predicted, real)

    def pooled(
        self,
        samples: Sequence[Sequence[NDArray[np.float32]]],
        real: Sequence[NDArray[np.float32]],
        videos: Sequence[Any] | None = None,
    ) -> float:
        """The number for one set of all samples (K per clip) against the real clips (one each).

        `samples` contains the features of each sample of each clip. `videos` names the clips' source videos; without
        it, every clip is its own video.
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
        """`distance_of_videos` without each group of clips in turn, float64 [G], as a jackknife needs it.

        `groups[i]` is the group of source videos, 0 … G − 1, of prediction i and its real clip. `videos` names their
        videos; without it, every clip is its own video.
        """
        names = range(len(groups)) if videos is None else videos

        def without(group: int) -> float:
            kept = np.flatnonzero(groups != group).tolist()
            of = [names[i] for i in kept]
            return self.distance_of_videos([predicted[i] for i in kept], [real[i] for i in kept], of, of)

        return np.array([without(group) for group in range(int(groups.max()) + 1)])


def best_first(direction: Direction, value: float) -> float:
    """Sort key that puts the best value of a metric first."""
    if direction == "one":
        return abs(math.log(value)) if value > 0 else math.inf
    return value if direction == "lower" else -value
