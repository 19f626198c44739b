"""Expected best of k samples drawn from n per clip, so that methods with different n can share a table.

best@k = Σᵢ C(n − i, k − 1) / C(n, k) · x₍ᵢ₎, where x₍₁₎ is the best sample. The i-th best is the best of a drawn subset
if the other k − 1 come from the n − i that are worse. best@k is the mean over all subsets of k, drawn without
replacement, so its expectation does not depend on n (the U-statistic behind pass@k: Chen et al., "Evaluating Large
Language Models Trained on Code", 2021, eq. 1). k = 1 gives the mean, k = n the best of all.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError

Floats = NDArray[np.float64]


def best_of_samples(values: ArrayLike, k: int, *, lower: ArrayLike | None = None) -> Floats:
    """Expected best of k of n samples [..., n], float64 [...]; the order of the samples changes no bit.

    Args:
        values: one number per sample.
        k: number of samples drawn, from 1 to n.
        lower: key that orders the samples, [..., n], lower is better; defaults to the values themselves.

    Infinite values stay infinite if they have a weight; a NaN among the samples makes the result NaN.

    Raises:
        BenchError: k is not between 1 and n.
    """
    numbers = np.asarray(values, np.float64)
    count = numbers.shape[-1]
    if not 1 <= k <= count:
        raise BenchError(f"The best of {k} cannot be computed from {count} sample{'s' if count > 1 else ''}.")
    key = numbers if lower is None else np.asarray(lower, np.float64)
    places = np.lexsort((numbers, key), axis=-1)
    ordered = np.take_along_axis(numbers, places, axis=-1)[..., : count - k + 1]  # the others have no weight
    weights = np.array([comb(count - place, k - 1) for place in range(1, count - k + 2)], np.float64)
    best = np.asarray((ordered * weights).sum(axis=-1) / comb(count, k), np.float64)
    return np.where(np.isnan(numbers).any(axis=-1), np.nan, best)
