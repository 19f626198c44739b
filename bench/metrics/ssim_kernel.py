"""The arithmetic of SSIM on one CPU core, compiled by Numba and run without the interpreter lock.

Each channel of a frame is processed row by row. Rows are filtered across and, once there are eleven of them, down,
while they are in the cache. Measured speed in frames per second on one core, at 64 and 128 pixels: 5,900 and 2,000.
PyTorch's convolutions reach 550 and 34, sums of shifted tensors 1,300 and 290.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.numba_compile import compiled
from bench.metrics.ssim_window import C1, C2, TAPS, taps

Array = NDArray[np.float64]
# One side of the window and its middle, as constants for the compiler.
A, B, C, D, E, MIDDLE = (float(tap) for tap in taps()[: TAPS // 2 + 1])


@compiled
def _across(row: Array, m: int, j: int) -> Any:
    """The window's sum over map `m` of a row, [4, W], from column j on."""
    return (
        A * (row[m, j] + row[m, j + 10])
        + B * (row[m, j + 1] + row[m, j + 9])
        + C * (row[m, j + 2] + row[m, j + 8])
        + D * (row[m, j + 3] + row[m, j + 7])
        + E * (row[m, j + 4] + row[m, j + 6])
        + MIDDLE * row[m, j + 5]
    )


@compiled
def _down(rows: Array, i: int, m: int, j: int) -> Any:
    """The window's sum over map `m` of eleven rows, [H, 4, W], from row i on."""
    return (
        A * (rows[i, m, j] + rows[i + 10, m, j])
        + B * (rows[i + 1, m, j] + rows[i + 9, m, j])
        + C * (rows[i + 2, m, j] + rows[i + 8, m, j])
        + D * (rows[i + 3, m, j] + rows[i + 7, m, j])
        + E * (rows[i + 4, m, j] + rows[i + 6, m, j])
        + MIDDLE * rows[i + 5, m, j]
    )


@compiled
def score_frames(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> Any:
    """SSIM of each pair of frames, uint8 [N, H, W, C] each → float64 [N].

    With s = x + y and d = x − y, four filtered maps are enough instead of five. If d = 0, numerator and denominator are
    the same number, so identical frames give exactly 1.
    """
    frames, height, width, channels = x.shape
    outputs, inner = height - (TAPS - 1), width - (TAPS - 1)
    row = np.empty((4, width))  # s, d, s², d² of one row
    rows = np.empty((height, 4, inner))  # the same, filtered across
    scores = np.empty(frames)
    for n in range(frames):
        sums = np.zeros(inner)
        for c in range(channels):
            for last in range(height):
                for j in range(width):
                    s = float(x[n, last, j, c]) + float(y[n, last, j, c])
                    d = float(x[n, last, j, c]) - float(y[n, last, j, c])
                    row[0, j] = s
                    row[1, j] = d
                    row[2, j] = s * s
                    row[3, j] = d * d
                for m in range(4):
                    for j in range(inner):
                        rows[last, m, j] = _across(row, m, j)
                i = last - (TAPS - 1)
                if i < 0:
                    continue
                for j in range(inner):
                    mean_s, mean_d = _down(rows, i, 0, j), _down(rows, i, 1, j)
                    mean_s, mean_d = mean_s * mean_s, mean_d * mean_d
                    var_s, var_d = _down(rows, i, 2, j) - mean_s, _down(rows, i, 3, j) - mean_d
                    # s² − d² = 4xy and s² + d² = 2x² + 2y²: the factor 2 on both sides cancels.
                    mean_s += 2 * C1
                    var_s += 2 * C2
                    sums[j] += (mean_s - mean_d) * (var_s - var_d) / ((mean_s + mean_d) * (var_s + var_d))
        scores[n] = sums.sum() / (outputs * inner * channels)
    return scores
