"""Temporal flickering as VBench defines it (Huang et al., "VBench", CVPR 2024): 1 − mean |x_t − x_{t−1}| / 255.

It depends on the prediction alone. A still scores 1, the best possible value, so read it together with `motion`. VBench
computes it on static scenes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import ClipMetric, Column, Direction, Frames
from bench.metrics.motion import frame_change


class Flickering(ClipMetric):
    """Absence of change from frame to frame."""

    name = "flickering"
    label = "Temporal flickering"
    direction: ClassVar[Direction] = "higher"
    range = "[0, 1]"
    default = False
    min_frames = 2
    definition = (
        "VBench's temporal flickering: 1 − mean absolute difference of successive frames of the prediction, values in "
        "[0, 1]; 1 for a still; the real clip is not looked at"
    )
    columns = ("flickering",)

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """1 − the change since the previous frame, column `flickering` [T] in [0, 1]; NaN for the first frame."""
        return {"flickering": 1.0 - frame_change(prediction)}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames except the first, which has no scored frame before it."""
        return float(np.mean(columns["flickering"][1:]))
