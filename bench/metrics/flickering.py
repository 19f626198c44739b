"""Temporal flickering as VBench has it (Huang et al., "VBench", CVPR 2024): 1 − mean |x_t − x_{t−1}| / 255.

Of the prediction alone. A still has 1, the best there is, so the number has to be read beside `motion`. VBench computes
it on static scenes only.
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
        """One less the change since the last frame, column `flickering` [T] in [0, 1]; NaN for the first frame."""
        return {"flickering": 1.0 - frame_change(prediction)}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames but the first, before which no frame is scored."""
        return float(np.mean(columns["flickering"][1:]))
