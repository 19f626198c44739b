"""Peak signal-to-noise ratio: −10·log10(mean squared error), peak 1, in dB.

Two conventions are in use. They differ wherever the error varies over a clip, so each has its own name. `psnr` takes
the logarithm of the clip's mean squared error; `psnr_frame` takes the mean over frames of each frame's ratio (OpenSTL
and others).

Identical clips have no finite `psnr`; they are counted separately from the mean. When methods are ranked and tested,
every clip is capped at `LIMIT`, which identical clips get: errors below the rounding of 8 bits are equally good.

A frame of `psnr_frame` counts as at most 100 dB, even if it is identical. Version 1 left identical frames out of the
mean, so a perfect frame made a clip worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from bench.metrics.base import ClipMetric, Column, Direction, Frames
from bench.metrics.mse import frame_mse

#: Upper limit of a frame's value, in dB.
CAP = 100.0
#: Upper limit of a clip's value when methods are ranked, in dB: the error of rounding to 8 bits alone,
#: 10·log10(12 · 255²). A higher bound would let one identical clip outweigh all others.
LIMIT = 10 * math.log10(12 * 255**2)


def psnr_from_mse(mse: Column) -> Column:
    """−10·log10(mse) for each value in [0, 1]; inf if it is 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(-10.0 * np.log10(mse), np.float64)


class PSNR(ClipMetric):
    """Peak signal-to-noise ratio of a clip's mean squared error."""

    name = "psnr"
    unit = "dB"
    direction: ClassVar[Direction] = "higher"
    range = "dB"
    decimals = 2
    no_value = "identical to the real clip"
    no_value_cell = "identical"
    definition = "−10·log10 of the clip's mse, peak 1; mean over the clips with a finite value, identical clips counted"
    columns = ("mse",)
    bound = LIMIT

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Mean squared error of each frame, column `mse` [T], shared with the metric `mse`."""
        return {"mse": frame_mse(prediction, real)}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """−10·log10 of the mean over the scored frames; inf for identical clips."""
        return float(psnr_from_mse(np.mean(columns["mse"], keepdims=True))[0])

    @classmethod
    def judged(cls, values: Column) -> Column:
        """The values, capped at `LIMIT`."""
        return np.minimum(values, LIMIT)

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> None:
        """Return None: a curve over the frame number would repeat that of `psnr_frame` or of `mse`."""


class PSNRFrame(ClipMetric):
    """Peak signal-to-noise ratio of each frame, mean over frames; an identical frame counts as `CAP`."""

    name = "psnr_frame"
    label = "PSNR, frame"
    curve_label = "PSNR of the frame"
    unit = "dB"
    direction: ClassVar[Direction] = "higher"
    range = "[0, 100] dB"
    decimals = 2
    version = 2
    definition = "−10·log10 of each frame's mse, peak 1, 100 dB at most; mean over frames and clips"
    columns = ("psnr_frame",)
    frame_bound = CAP

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Peak signal-to-noise ratio of each frame in dB, column `psnr_frame` [T]; inf where frames are identical."""
        return {"psnr_frame": psnr_from_mse(frame_mse(prediction, real))}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames, each capped at `CAP`, so a worse frame never gives a better clip."""
        return float(np.mean(np.minimum(columns["psnr_frame"], self.frame_bound)))
