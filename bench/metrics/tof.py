"""tOF: how far the optical flow of a prediction is from that of the real clip (Chu et al., TecoGAN, ACM TOG 2020).

The flow between successive grey frames is computed by Farnebäck's method with TecoGAN's parameters, in pixels at the
scored size. tOF is the mean over pixels of the length of the difference of the two flows. TecoGAN crops a border first;
this implementation does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import ClipMetric, Column, Direction, Frames, Unavailable
from bench.provenance import how_to_install, package_version

#: Pyramid scale, levels, window, iterations, neighbourhood, sigma of the neighbourhood's Gaussian, flags.
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
PACKAGES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


def flows(frames: Frames) -> list[NDArray[np.float32]]:
    """Optical flow from each frame to the next, uint8 [T, H, W, 3] → T − 1 fields float32 [H, W, 2] in pixels."""
    import cv2  # slow to import, and not always needed

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the number of threads could change last digits
    try:
        grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
        flow: Any = cv2.calcOpticalFlowFarneback
        return [flow(last, next, None, *FARNEBACK) for last, next in pairwise(grey)]
    finally:
        cv2.setNumThreads(before)


class TOF(ClipMetric):
    """Mean distance of the optical flows of successive frames."""

    name = "tof"
    label = "tOF"
    unit = "px"
    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    default = False
    min_frames = 2
    definition = (
        "mean length of the difference of the optical flows of successive frames (Farnebäck, TecoGAN's parameters), "
        "pixels at the scored size"
    )
    columns = ("tof",)

    def unavailable(self) -> Unavailable | None:
        """Return that OpenCV is not installed, or None if it is."""
        if any(map(package_version, PACKAGES)):
            return None
        return Unavailable(self.name, f"the package '{PACKAGES[0]}' is not installed", how_to_install("time"))

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Mean distance between the two flows into each frame, column `tof` [T] in pixels; NaN for the first frame."""
        values = np.full(len(prediction), np.nan)
        for t, (predicted, expected) in enumerate(zip(flows(prediction), flows(real), strict=True), start=1):
            values[t] = np.sqrt(np.square(expected - predicted).sum(axis=-1)).mean(dtype=np.float64)
        return {"tof": values}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames except the first, which has no scored frame before it."""
        return float(np.mean(columns["tof"][1:]))
