"""tLP: how far the perceptual change from frame to frame is from the real clip's (Chu et al., TecoGAN, ACM TOG 2020).

100 · |LPIPS(real frame, next real frame) − LPIPS(predicted frame, next predicted frame)|, mean over frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import Column, Direction, Frames
from bench.metrics.lpips import LPIPS


class TLP(LPIPS):
    """Difference of the LPIPS of successive frames, times 100."""

    name = "tlp"
    label = "tLP"
    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    default = False
    min_frames = 2
    decimals = 3
    definition = (
        "100 · |lpips of successive real frames − lpips of successive predicted frames|; mean over frames and clips"
    )
    columns = ("tlp",)

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """The difference for the step to each frame, column `tlp` [T]; NaN for the first frame."""
        predicted, expected = (self.of_frames(clip[:-1], clip[1:]) for clip in (prediction, real))
        return {"tlp": np.concatenate([[np.nan], 100.0 * np.abs(expected - predicted)])}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames except the first, which has no scored frame before it."""
        return float(np.mean(columns["tlp"][1:]))
