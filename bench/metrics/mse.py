"""Mean squared error over pixels and channels, for values in [0, 1].

It is mean((x − y)²), where x and y are the 8-bit frames divided by 255. The squares are summed as integers, so the
value is exact up to one division and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import ClipMetric, Column, Direction, Frames


def absolute_difference(x: Frames, y: Frames) -> Frames:
    """|x − y| of two uint8 arrays of the same shape, as uint8."""
    difference = np.maximum(x, y)
    difference -= np.minimum(x, y)
    return difference


def frame_mse(x: Frames, y: Frames) -> Column:
    """Mean squared error of each pair of frames, uint8 [T, H, W, C] each → float64 [T] in [0, 1]."""
    sums = np.empty(len(x), np.float64)
    for t, (one, other) in enumerate(zip(x, y, strict=True)):  # one frame at a time stays in the cache
        difference = absolute_difference(one, other)
        # 255² fits in 16 bits.
        sums[t] = np.multiply(difference, difference, dtype=np.uint16).sum(dtype=np.uint64)
    return sums / (255.0**2 * x[0].size) if len(x) else sums


class MSE(ClipMetric):
    """Mean squared error of values in [0, 1], mean over the scored frames of a clip."""

    name = "mse"
    direction: ClassVar[Direction] = "lower"
    range = "[0, 1]"
    decimals = 5
    definition = "mean squared error of values in [0, 1] over pixels, channels and scored frames; mean over clips"
    columns = ("mse",)

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Mean squared error of each frame, column `mse` [T]."""
        return {"mse": frame_mse(prediction, real)}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames."""
        return float(np.mean(columns["mse"]))
