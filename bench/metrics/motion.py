"""How much a clip moves, relative to the real one.

It is the mean absolute difference of successive frames of the prediction, divided by that of the real clip: 1 is right,
0 is a still. The other metrics reward a still; this one distinguishes it from a video.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import ClipMetric, Column, Direction, Frames
from bench.metrics.mse import absolute_difference


def frame_change(frames: Frames) -> Column:
    """Mean |x_t − x_{t−1}| of each frame, uint8 [T, H, W, C] → float64 [T] in [0, 1]; NaN for the first."""
    change = np.full(len(frames), np.nan)
    for t in range(1, len(frames)):
        change[t] = absolute_difference(frames[t], frames[t - 1]).sum(dtype=np.uint64) / (255.0 * frames[t].size)
    return change


class Motion(ClipMetric):
    """Change from frame to frame, prediction over real."""

    name = "motion"
    label = "Motion"
    direction: ClassVar[Direction] = "one"
    bound = 24.0  # |ln ratio|: no two 8-bit clips of 1,024 pixels and 64 frames differ more, unless one is static
    range = "[0, inf), 1 is right"
    decimals = 3
    version = 2  # version 1 printed the arithmetic mean of the ratios
    min_frames = 2
    no_value = "the real clip is static"
    definition = (
        "mean absolute difference of successive frames, prediction divided by real clip; geometric mean over the clips "
        "whose real one moves, the others counted"
    )
    columns = ("motion_prediction", "motion_real")

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Change since the previous frame, `motion_prediction` and `motion_real`, [T] in [0, 1]; NaN at frame 1."""
        return {"motion_prediction": frame_change(prediction), "motion_real": frame_change(real)}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Sum over the scored frames except the first, prediction over real; NaN if the real clip is static.

        The first of the scored frames is left out because the frame before it is not scored.
        """
        predicted, real = (float(np.sum(columns[name][1:])) for name in self.columns)
        return predicted / real if real > 0 else float("nan")

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> Column:
        """Ratio of the two means; a clip that hardly moves would dominate a mean of ratios."""
        predicted, real = (means[name] for name in cls.columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            return predicted / real
