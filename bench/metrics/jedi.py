"""JEDi's distance of two sets of features: Luo et al., "Beyond FVD" (ICLR 2025), and its authors' package `videojedi`.

It is the squared maximum mean discrepancy with the kernel (x·y/D)² and the mean over all pairs, including each item
with itself. It is therefore biased upwards if there are few items. JEDi prints 100 times this number, for V-JEPA
features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import UnfitError
from bench.metrics.networks.parallel_map import one_core_each

Vector = NDArray[np.float64]
Groups = NDArray[np.intp]
_ROWS = 512  # rows of the kernel matrix at a time


def _sums(x: NDArray[Any], y: NDArray[Any], of_x: Groups, of_y: Groups) -> Vector:
    """Sums of (a·b/D)² over pairs of a row a of x [N, D] and a row b of y [M, D], by pair of groups, [G, G]."""
    count = 1 + int(max(of_x.max(), of_y.max()))
    left, right = (torch.tensor(side, dtype=torch.float64) for side in (x, y))
    to_groups = torch.tensor(np.eye(count)[of_y])  # [M, G]

    def block(start: int) -> Vector:
        rows = slice(start, start + _ROWS)
        values = ((left[rows] @ right.T) / x.shape[1]) ** 2 @ to_groups
        return np.asarray(torch.tensor(np.eye(count)[of_x[rows]]).T @ values)

    return np.asarray(np.sum(one_core_each(block, range(0, len(x), _ROWS)), axis=0))


def jedi_mmd(x: NDArray[Any], y: NDArray[Any]) -> float:
    """The distance of two samples [N, D] and [M, D]; ≥ 0.

    Raises `UnfitError` for an empty side.
    """
    if not len(x) or not len(y):
        raise UnfitError(f"JEDi's distance needs clips on both sides, but there are {len(x)} and {len(y)}.")

    def mean(a: NDArray[Any], b: NDArray[Any]) -> float:
        return float(_sums(a, b, np.zeros(len(a), np.intp), np.zeros(len(b), np.intp))[0, 0]) / (len(a) * len(b))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def jedi_without_each(x: NDArray[Any], y: NDArray[Any], groups: Groups) -> Vector:
    """The distance of two samples [N, D] without each group of items in turn, [G], at the cost of one distance.

    `groups[i]` is the group, 0 … G − 1, of item i of both samples. Raises `UnfitError` if no item is left.
    """
    left = len(groups) - np.bincount(groups)
    if left.min() < 1:
        raise UnfitError("JEDi's distance needs clips; when one source video is left out, none remain.")

    def without(a: NDArray[Any], b: NDArray[Any]) -> Vector:
        sums = _sums(a, b, groups, groups)
        return np.asarray(sums.sum() - sums.sum(axis=0) - sums.sum(axis=1) + np.diag(sums))

    return np.asarray((without(x, x) + without(y, y) - 2 * without(x, y)) / left**2)
