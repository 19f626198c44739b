"""Moving regions of a video, and the paper's Fig. 3: two models on the same input, with moving regions outlined.

Motion is where successive frames differ most. For frame t, the difference is the mean over channels of |x(t+1) − x(t)|.
For the last frame, it is that of the frame before. It is smoothed by a Gaussian whose σ is 1/32 of the frame.

The tenth of the pixels with the largest difference counts, if the difference is at least `LEAST` of 255: smaller ones
are invisible. Connected pixels form a region. Regions under `SMALLEST` of the frame are dropped, and the `MOST` largest
are outlined by their bounding boxes. Nothing is drawn by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label

from bench.data.readers.video import Frames
from bench.report.figures.frames import tiles
from bench.report.figures.style import STYLE, save_figure

SHARE = 0.1
LEAST = 2.0
SMALLEST = 0.01
MOST = 3
#: The rule, for readers of a figure.
RULE = (
    "Outlined automatically: where successive frames differ most (the tenth of the pixels with the largest smoothed "
    f"difference, at least {LEAST:g} of 255; up to {MOST} regions of {SMALLEST:.0%} of the frame or more)."
)
#: Top, left, height and width in pixels.
Box = tuple[int, int, int, int]


def smoothed_change(video: Frames, frame: int) -> NDArray[np.float64]:
    """Smoothed difference between a frame (counted from 0) and its successor, in 8-bit units, `[H, W]`."""
    first = min(frame, len(video) - 2)
    change = np.abs(video[first + 1].astype(np.float64) - video[first]).mean(axis=2)
    return np.asarray(gaussian_filter(change, max(change.shape) / 32, mode="nearest"), np.float64)


def moving_regions(video: Frames, frame: int) -> list[Box]:
    """Bounding boxes of the regions that move most in a frame (counted from 0), largest first; empty without motion.

    Args:
        video: uint8 `[T, H, W, 3]`, T of 2 or more.
        frame: index of the frame.
    """
    change = smoothed_change(video, frame)
    threshold = max(float(np.quantile(change, 1 - SHARE)), LEAST)
    labels, _ = label(change >= threshold)
    sizes = np.bincount(labels.ravel())[1:]
    regions = []
    for number, (rows, columns) in enumerate(find_objects(labels)):
        if sizes[number] >= SMALLEST * change.size:
            box = (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
            regions.append((int(sizes[number]), box))
    return [box for _, box in sorted(regions, reverse=True)[:MOST]]


def motion_figure(videos: Mapping[str, Frames], path: Path) -> None:
    """Draw frames 1, 8, 16, 24, 32 of each method in a line, with moving regions outlined (the paper's Fig. 3).

    Args:
        videos: videos by the row's display name, uint8 `[T, H, W, 3]`, all of the same input.
        path: `.png` or `.pdf`; without an extension, both are written.
    """
    with plt.rc_context(STYLE):
        figure, axis, corners = tiles(videos)
        for (row, number), (x, y) in corners.items():
            for top, left, height, width in moving_regions(videos[row], number - 1):
                box = Rectangle((x + left, y + top), width, height, fill=False, edgecolor="#ff2d2d", linewidth=1.2)
                axis.add_patch(box)
        save_figure(figure, path, cut=False)
