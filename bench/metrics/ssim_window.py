"""The window and the constants of SSIM, shared by its two implementations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 11
SIGMA = 1.5
# The arithmetic stays in 8-bit units, where sums and squares of pixels are exact.
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def taps() -> NDArray[np.float64]:
    """The one-dimensional window, float64 [11], with sum 1; the full window is its outer product with itself."""
    values = np.exp(-0.5 * ((np.arange(TAPS) - TAPS // 2) / SIGMA) ** 2)
    return np.asarray(values / values.sum(), np.float64)
