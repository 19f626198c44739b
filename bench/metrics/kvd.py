"""Kernel video distance: the kernel distance of Bińkowski et al., "Demystifying MMD GANs" (ICLR 2018), of I3D's logits.

The squared maximum mean discrepancy of two sets of logits with the kernel (x·y/400 + 1)³, estimated without bias: no
clip is compared with itself, and no prediction with the one real clip that it continues, whose first frame it has
(Gretton et al., "A kernel two-sample test", JMLR 2012, the U-statistic of pairs that follows their lemma 6). So it is 0
for two equal sets, and 0 on average for two samples of one distribution, however few clips there are, where a Fréchet
distance has a bias that grows as they get fewer and differs from model to model. A single value may be negative.

Rows of the matrix of kernels are computed several blocks in parallel, each on one core, and summed in order: the number
of threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import UnfitError
from bench.metrics.i3d_metric import LogitsMetric
from bench.metrics.networks.feature_cache import Features
from bench.metrics.networks.parallel_map import one_core_each

Vector = NDArray[np.float64]
Groups = NDArray[np.intp]
_ROWS = 512  # of the matrix of kernels at a time


@dataclass(frozen=True)
class KernelSums:
    """Sums of the kernel over pairs of items of two sets, by groups of the items, float64 [G] each.

    Attributes:
        first: over the pairs whose first item is in the group.
        second: over the pairs whose second item is.
        within: over the pairs of which both are.
    """

    first: Vector
    second: Vector
    within: Vector

    @property
    def whole(self) -> float:
        """The sum over all pairs."""
        return float(self.first.sum())

    @property
    def without_each(self) -> Vector:
        """Sums over the pairs with no item in a group, [G]."""
        return np.asarray(self.whole - self.first - self.second + self.within)


def kernel_sums(x: Vector, y: Vector, of_x: Groups, of_y: Groups) -> KernelSums:
    """Sums of (a·b/D + 1)³ over pairs of a row a of x [N, D] and a row b of y [M, D], by groups numbered from 0.

    Where there are as many rows in both, pairs (i, i) are left out: an item and itself, or a prediction and its clip.
    """
    count = 1 + int(max(of_x.max(), of_y.max()))
    left, right = torch.tensor(x), torch.tensor(y)

    def block(start: int) -> tuple[Vector, Vector, Vector]:
        rows = slice(start, start + _ROWS)
        kernel = ((left[rows] @ right.T).numpy() / x.shape[1] + 1) ** 3
        if len(x) == len(y):
            kernel[np.arange(len(kernel)), np.arange(start, start + len(kernel))] = 0
        of_group = np.where(of_x[rows, None] == of_y, kernel, 0).sum(1)
        return grouped(of_x[rows], kernel.sum(1)), kernel.sum(0), grouped(of_x[rows], of_group)

    def grouped(groups: Groups, values: Vector) -> Vector:
        return np.bincount(groups, values, count).astype(np.float64)

    blocks = one_core_each(block, range(0, len(x), _ROWS))
    first, second, within = (np.sum(parts, axis=0) for parts in zip(*blocks, strict=True))
    return KernelSums(first, grouped(of_y, second), within)


def _checked(x: NDArray[Any], y: NDArray[Any]) -> tuple[Vector, Vector]:
    if min(len(x), len(y)) < 2:
        raise UnfitError(f"KVD needs two clips on both sides; here are {len(x)} and {len(y)}.")
    return x.astype(np.float64), y.astype(np.float64)


def unbiased_mmd(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Squared maximum mean discrepancy of two samples [N, D] and [M, D], kernel (a·b/D + 1)³, without bias.

    Item i of one and item i of the other are not compared where N is M. Raises `UnfitError` for fewer than two items on
    a side: there is no pair of different ones.
    """
    x, y = _checked(x, y)

    def mean(a: Vector, b: Vector) -> float:
        pairs = len(a) * (len(a) - 1) if len(a) == len(b) else len(a) * len(b)
        return kernel_sums(a, b, np.zeros(len(a), np.intp), np.zeros(len(b), np.intp)).whole / pairs

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def mmd_without_each(x: NDArray[Any], y: NDArray[Any], groups: Groups) -> Vector:
    """`unbiased_mmd` of two samples [N, D] without each group of items in turn, [G], at the price of one of them.

    `groups` are the numbers 0 … G − 1 of the groups that item i of both samples is in. Raises `UnfitError` where fewer
    than two items are left.
    """
    left = len(groups) - np.bincount(groups)  # of both samples
    x, y = _checked(x, y)
    if left.min() < 2:
        raise UnfitError("KVD needs two clips; without one source video fewer are left.")
    same = (kernel_sums(side, side, groups, groups).without_each for side in (x, y))
    cross = kernel_sums(x, y, groups, groups).without_each
    return np.asarray((sum(same) - 2 * cross) / (left * (left - 1)))


class KVD(LogitsMetric):
    """Squared maximum mean discrepancy of I3D logits."""

    name = "kvd"
    range = "any, 0 for equal sets"
    decimals = 3
    unbiased = True
    definition = (
        "unbiased squared maximum mean discrepancy of the logits of fvd, kernel (x·y/400 + 1)³; 0 on average for equal "
        "sets at any number of clips"
    )

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """How many clips the number is of; it is not biased however few they are."""
        return f"{clips} clips; unbiased at any number of clips, so it may be negative"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of logits."""
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real))

    def pooled(self, samples: Sequence[Sequence[Features]], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of all samples and the real clips, without pairs of videos of one clip.

        Two samples of a clip share its first frame, as a prediction and its real clip do. With m(a, b) the mean of the
        kernel over pairs of different clips, this is mean m(k, l) + m(real, real) − 2 mean m(k, real), over all samples
        k and l; in terms of distances the mean to the real clips, less half the mean over all pairs of samples.
        """
        to_real = [self.distance(one, real) for one in samples]
        between = [self.distance(one, other) for one, other in combinations(samples, 2)]
        return float(np.mean(to_real) - np.sum(between) / len(samples) ** 2)

    def without_each(self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups) -> Vector:
        """The distances without each group of clips in turn."""
        return mmd_without_each(np.concatenate(predicted), np.concatenate(real), groups)
