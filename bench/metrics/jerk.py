"""How jerky a clip is relative to the real one: second differences of frames over first differences.

Jerk is near 0 for a clip whose pixels change steadily, near 2 for one that goes back and forth, and √3 for independent
noise. The jerk of a prediction is divided by that of the real clip. A ratio of 1 is right; above 1, the prediction
flickers; below 1, it is too smooth. A static prediction has no jerk and counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import ClipMetric, Column, Direction, Frames
from bench.metrics.motion import frame_change


def change_of_change(frames: Frames) -> Column:
    """Mean |x_t − 2 x_{t−1} + x_{t−2}| of each frame, uint8 [T, H, W, C] → float64 [T]; NaN for the first two."""
    change = np.full(len(frames), np.nan)
    for t in range(2, len(frames)):
        middle = frames[t - 1].astype(np.int16)
        second = frames[t] - 2 * middle + frames[t - 2]
        change[t] = np.abs(second).sum(dtype=np.uint64) / (255.0 * frames[t].size)
    return change


def jerk(second: Column, first: Column) -> float:
    """Mean second difference over mean first difference of scored frames; NaN where nothing changes.

    Among scored frames, the first has no first difference, and the first two have no second difference.
    """
    moves = float(np.mean(first[1:]))
    return float(np.mean(second[2:])) / moves if moves > 0 else float("nan")


class Jerk(ClipMetric):
    """Jerk of the prediction over that of the real clip."""

    name = "jerk"
    label = "Jerk"
    direction: ClassVar[Direction] = "one"
    bound = (
        24.0  # |ln ratio|: more than two 8-bit clips of 1,024 pixels and 64 frames can differ, unless one is a still
    )
    range = "[0, inf), 1 is right"
    decimals = 3
    default = False
    min_frames = 3
    no_value = "the real clip is static, or changes steadily"
    definition = (
        "mean absolute second difference of frames over mean absolute first difference, prediction divided by real "
        "clip; geometric mean over clips; 0 for a still"
    )
    columns = ("second_prediction", "second_real", "motion_prediction", "motion_real")

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Second differences of both clips and, as for `motion`, first ones, [T] each; NaN where there are none."""
        return {
            "second_prediction": change_of_change(prediction),
            "second_real": change_of_change(real),
            "motion_prediction": frame_change(prediction),
            "motion_real": frame_change(real),
        }

    def clip(self, columns: Mapping[str, Column]) -> float:
        """The ratio; 0 for a static prediction, NaN if the real clip is static or its jerk is 0."""
        predicted, real = (
            jerk(columns[f"second_{side}"], columns[f"motion_{side}"]) for side in ("prediction", "real")
        )
        if not real > 0:
            return float("nan")
        return 0.0 if np.isnan(predicted) else predicted / real

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> Column:
        """Ratio of the jerks of the means, which a clip that hardly moves cannot dominate."""
        with np.errstate(invalid="ignore", divide="ignore"):
            predicted, real = (means[f"second_{side}"] / means[f"motion_{side}"] for side in ("prediction", "real"))
            return np.asarray(predicted / real)
