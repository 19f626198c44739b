"""Precision, recall, density and coverage of a set of features, by nearest neighbours.

Precision is the share of predictions within the reach of a real item: closer to it than its k-th nearest real
neighbour. Recall is the same with the two sets exchanged (Kynkäänniemi et al., "Improved precision and recall metric
for assessing generative models", NeurIPS 2019). Density is the mean number of reaches that a prediction is in, divided
by k. Coverage is the share of real items that have a prediction within reach (Naeem et al., "Reliable fidelity and
diversity metrics for generative models", ICML 2020). Distances are Euclidean. As in the latter's `prdc`, k is 5, and an
item at exactly that distance is outside.

All four depend on the number of items on each side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import UnfitError
from bench.metrics.networks.parallel_map import one_core_each

#: Rank of the neighbour that determines how far an item reaches.
K = 5
Matrix = NDArray[np.float64]
Groups = NDArray[np.intp]
_ROWS = 256  # rows of a distance matrix at a time


def distances(x: NDArray[Any], y: NDArray[Any]) -> Matrix:
    """Euclidean distances between the rows of x [N, D] and y [M, D], float64 [N, M]; 0 for equal rows."""
    left, right = (torch.from_numpy(np.array(side, np.float64)) for side in (x, y))

    def block(start: int) -> Matrix:
        rows = left[start : start + _ROWS]
        return torch.cdist(rows, right, compute_mode="donot_use_mm_for_euclid_dist").numpy()

    return np.concatenate(one_core_each(block, range(0, len(x), _ROWS)))


def _check(count: int) -> None:
    if count <= K:
        raise UnfitError(f"Nearest neighbours need more than {K} items on both sides, but there are {count}")


@dataclass(frozen=True)
class Reaches:
    """How far each item of a set reaches among the others.

    Attributes:
        order: other items, nearest first, for each item; int [N, ·], only as many as can be needed.
        distances: distances to these items, [N, ·].
    """

    order: NDArray[np.intp]
    distances: Matrix

    @staticmethod
    def of(x: NDArray[Any], left_out: int = 0) -> Reaches:
        """Reaches in a set [N, D] from which at most `left_out` items are left out at a time."""
        apart = distances(x, x)
        np.fill_diagonal(apart, -1.0)  # sorts the item itself first; it is not a neighbour
        order = np.argsort(apart, axis=1, kind="stable")[:, 1 : 1 + K + left_out]
        return Reaches(order, np.take_along_axis(apart, order, axis=1))

    def without(self, left_out: NDArray[np.bool_]) -> Matrix:
        """The reach of every item, [N], if some items are left out."""
        kept = ~left_out[self.order]
        place = (kept.cumsum(axis=1) == K).argmax(axis=1)
        return np.asarray(np.take_along_axis(self.distances, place[:, None], axis=1)[:, 0])


@dataclass(frozen=True)
class Measure:
    """One of the four measures.

    Attributes:
        count: predictions × real items, true where one is in the other's reach → the measure's number.
        of_real: whether the reaches are those of the real items; otherwise, of the predictions.
    """

    count: Callable[[NDArray[np.bool_]], float]
    of_real: bool = True

    def __call__(self, predicted: NDArray[Any], real: NDArray[Any]) -> float:
        """The number for two sets [N, D] and [M, D]; raises `UnfitError` for K items or fewer on a side."""
        masks = np.zeros((1, len(predicted)), bool), np.zeros((1, len(real)), bool)
        return float(self._without(predicted, real, *masks)[0])

    def without_each(self, predicted: NDArray[Any], real: NDArray[Any], groups: Groups) -> Matrix:
        """The number without each group of items in turn, [G]; item i of both sets is in group `groups[i]`."""
        masks = groups == np.arange(groups.max() + 1)[:, None]
        return self._without(predicted, real, masks, masks)

    def _without(
        self, predicted: NDArray[Any], real: NDArray[Any], no_predicted: NDArray[np.bool_], no_real: NDArray[np.bool_]
    ) -> Matrix:
        """The number without the items marked in each row of two masks, [G]."""
        sides = ((predicted, no_predicted), (real, no_real))
        most = [int(mask.sum(axis=1).max()) for _, mask in sides]
        for (side, _), left_out in zip(sides, most, strict=True):
            _check(len(side) - left_out)
        reaches = Reaches.of(sides[self.of_real][0], most[self.of_real])
        apart = distances(predicted, real)

        def number(masks: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> float:
            reach = reaches.without(masks[self.of_real])
            within = apart < (reach[None, :] if self.of_real else reach[:, None])
            return self.count(within[~masks[0]][:, ~masks[1]])

        return np.array(one_core_each(number, zip(no_predicted, no_real, strict=True)))


precision = Measure(lambda within: float(within.any(axis=1).mean()))
recall = Measure(lambda within: float(within.any(axis=0).mean()), of_real=False)
density = Measure(lambda within: float(within.sum(axis=1).mean() / K))
coverage = Measure(lambda within: float(within.any(axis=0).mean()))
