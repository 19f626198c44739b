"""What a metric is: how it looks at one pair of clips, and how stored values become a clip's or a set's number.

Two kinds. A `ClipMetric` gives every clip a number, made from per-frame columns that are stored, so that any choice of
scored frames is derived later without looking at pixels again. A `SetMetric` (FID, FVD) gives every clip a feature
array and compares two whole sets of them.

Clips are uint8 `[T, H, W, 3]`, prediction and real of the same shape: the 8-bit frames a person can see.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Column = NDArray[np.float64]
Direction = Literal["lower", "higher", "one"]  # "one": nearest to 1 is best


@dataclass(frozen=True)
class Unavailable:
    """Why a metric cannot be computed here, and the command that mends it. Never a reason to compute something else."""

    metric: str
    reason: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.metric} left out: {self.reason}" + (f" (get it with `{self.command}`)" if self.command else "")


class Metric(ABC):
    """Name, direction and range stand beside the definition, so that a table can print them."""

    name: ClassVar[str]
    #: What a table's head prints, by default the name in capitals; with the unit where there is one.
    title: ClassVar[str] = ""
    direction: ClassVar[Direction]
    range: ClassVar[str]
    #: Digits after the point in a printed table.
    decimals: ClassVar[int] = 4
    #: One line for `bench list metrics` and the note under a table.
    definition: ClassVar[str]
    #: Raised by one whenever the numbers change meaning; part of the protocol id.
    version: ClassVar[int] = 1

    def unavailable(self) -> Unavailable | None:
        """Why this metric cannot be computed here, or None. Must be cheap and must not open a socket."""
        return None

    def weights_id(self) -> str:
        """Name and hash of the weights behind the metric, part of the protocol; empty where there are none."""
        return ""


class ClipMetric(Metric):
    """A metric with one number a clip."""

    #: Names of the per-frame columns this metric reads, which are those that `compute` returns.
    columns: ClassVar[tuple[str, ...]]

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


class SetMetric(Metric):
    """A metric with one number for two sets of clips (a Fréchet distance between their features)."""

    #: Of the features; with fewer samples than that the estimate is biased, and the table says so.
    dimension: ClassVar[int]
    #: Whether every scored frame is a sample, or every clip.
    per_frame: ClassVar[bool]

    @abstractmethod
    def features(self, clips: Sequence[Frames]) -> list[NDArray[np.float32]]:
        """Features of each clip, `[K, D]` (K = 1 for a clip-level network, T for a frame-level one)."""

    @abstractmethod
    def distance(self, predicted: Sequence[NDArray[np.float32]], real: Sequence[NDArray[np.float32]]) -> float:
        """The number of two sets of clips from their features."""


def best_first(direction: Direction, value: float) -> float:
    """A key under which the best value of a metric sorts first."""
    return {"lower": value, "higher": -value, "one": abs(value - 1.0)}[direction]
