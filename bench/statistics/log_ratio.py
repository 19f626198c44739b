"""Ratios that are best at 1, such as a clip's motion over the real one's: half and double are equally far from 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError


def log_distance(ratios: ArrayLike) -> NDArray[np.float64]:
    """|ln ratio| of [N] ratios: 0 at 1, ln 2 at half and at double; inf for a ratio of 0, which is a static clip.

    NaN, which marks a static real clip without a ratio, stays NaN. The order and the test of methods use this distance;
    `best_of_many` counts its infinite values at a bound.

    Raises:
        BenchError: a ratio is below 0 or infinite.
    """
    values = np.asarray(ratios, np.float64)
    if (values < 0).any() or np.isposinf(values).any():
        raise BenchError("A ratio of two motions must be finite and at least 0.")
    with np.errstate(divide="ignore"):
        return np.asarray(np.abs(np.log(values)), np.float64)
