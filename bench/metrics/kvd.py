"""Kernel video distance: the kernel distance of Bińkowski et al., "Demystifying MMD GANs" (ICLR 2018), of I3D's logits.

The squared maximum mean discrepancy of two sets of logits with the kernel (x·y/400 + 1)³, estimated without bias: no
clip is compared with one of its own source video, be it real or predicted, since clips of one video resemble each other
(Gretton et al., "A kernel two-sample test", JMLR 2012, the U-statistic of pairs that follows their lemma 6, with videos
as units). So it is 0 for two equal sets, and 0 on average for two samples of one distribution, however few videos there
are, where a Fréchet distance has a bias that grows as they get fewer and differs from model to model. A single value
may be negative. Version 1 left out only a clip and itself, and a prediction and its own real clip.

Rows of the matrix of kernels are computed several blocks in parallel, each on one core, and summed in order: the number
of threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
Names = Sequence[Any] | NDArray[Any]
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


@dataclass(frozen=True)
class Side:
    """Items [N, D] of one set, the number of each one's source video, and of the group of videos it is left out with.

    A video has the same number on both sides that are compared, and is in one group.
    """

    items: Vector
    videos: Groups
    groups: Groups


def kernel_sums(one: Side, other: Side) -> tuple[KernelSums, KernelSums]:
    """Sums of (a·b/D + 1)³ over pairs of an item of each side, by groups numbered from 0; and the numbers of the pairs.

    Pairs of one video are left out. Where there are as many items on both sides, pairs (i, i) are left out too: an item
    and itself, or a prediction and its clip.
    """
    count = 1 + int(max(one.groups.max(), other.groups.max()))
    left, right, paired = torch.tensor(one.items), torch.tensor(other.items), len(one.items) == len(other.items)

    def block(start: int) -> list[tuple[Vector, Vector, Vector]]:
        rows = slice(start, start + _ROWS)
        kernel = ((left[rows] @ right.T).numpy() / one.items.shape[1] + 1) ** 3
        apart = one.videos[rows, None] != other.videos
        if paired:
            apart[np.arange(len(apart)), np.arange(start, start + len(apart))] = False
        inside = one.groups[rows, None] == other.groups
        tables = np.where(apart, kernel, 0.0), apart.astype(np.float64)
        return [
            (grouped(one.groups[rows], t.sum(1)), t.sum(0), grouped(one.groups[rows], np.where(inside, t, 0).sum(1)))
            for t in tables
        ]

    def grouped(groups: Groups, values: Vector) -> Vector:
        return np.bincount(groups, values, count).astype(np.float64)

    def added(blocks: Sequence[tuple[Vector, Vector, Vector]]) -> KernelSums:
        first, second, within = (np.sum(parts, axis=0) for parts in zip(*blocks, strict=True))
        return KernelSums(first, grouped(other.groups, second), within)

    values, numbers = zip(*one_core_each(block, range(0, len(one.items), _ROWS)), strict=True)
    return added(values), added(numbers)


def unbiased_mmd(x: NDArray[Any], y: NDArray[Any], of_x: Names | None = None, of_y: Names | None = None) -> float:
    """Squared maximum mean discrepancy of two samples [N, D] and [M, D], kernel (a·b/D + 1)³, without bias.

    Args:
        x, y: the samples.
        of_x, of_y: names of the items' source videos; without them every item is its own, and item i of one sample and
            item i of the other are of one video where N is M.

    Items of one video are not compared, nor item i of one and item i of the other where N is M. Raises `UnfitError`
    where a side has items of fewer than two videos: there is no pair to compare.
    """
    of_x = np.arange(len(x)) if of_x is None else of_x
    of_y = np.arange(len(y)) + (0 if len(x) == len(y) else len(x)) if of_y is None else of_y
    numbers = np.unique([str(name) for name in (*of_x, *of_y)], return_inverse=True)[1]
    sides = [
        Side(items.astype(np.float64), videos, np.zeros(len(items), np.intp))
        for items, videos in ((x, numbers[: len(x)]), (y, numbers[len(x) :]))
    ]
    counts = [len(np.unique(side.videos)) for side in sides]
    if min(counts) < 2:
        raise UnfitError(
            f"KVD needs clips of two source videos on both sides; here are {counts[0]} and {counts[1]} videos."
        )

    def mean(one: Side, other: Side) -> float:
        values, pairs = kernel_sums(one, other)
        if not pairs.whole:
            raise UnfitError("KVD compares clips of different source videos, and all clips here are of one video.")
        return values.whole / pairs.whole

    first, second = sides
    return mean(first, first) + mean(second, second) - 2 * mean(first, second)


def mmd_without_each(x: NDArray[Any], y: NDArray[Any], groups: Groups, of: Names | None = None) -> Vector:
    """`unbiased_mmd` of two samples [N, D] without each group of items in turn, [G], at the price of one of them.

    `groups` are the numbers 0 … G − 1 of the groups that item i of both samples is in, and `of` the names of their
    source videos; without them every item is its own. Raises `UnfitError` where fewer than two videos are left.
    """
    names = range(len(groups)) if of is None else of
    videos = np.unique([str(name) for name in names], return_inverse=True)[1]
    first, second = (Side(items.astype(np.float64), videos, groups) for items in (x, y))
    of_pairs = [kernel_sums(first, first), kernel_sums(second, second), kernel_sums(first, second)]
    same_x, same_y, cross = (values.without_each for values, _ in of_pairs)
    left = of_pairs[0][1].without_each  # the same for all three: item i of both sides is of one video
    if left.min() <= 0:
        raise UnfitError("KVD needs clips of two source videos; without one group of them fewer are left.")
    return np.asarray((same_x + same_y - 2 * cross) / left)


class KVD(LogitsMetric):
    """Squared maximum mean discrepancy of I3D logits."""

    name = "kvd"
    range = "any, 0 for equal sets"
    decimals = 3
    unbiased = True
    version = 2  # version 1 compared clips of one source video, which resemble each other
    definition = (
        "unbiased squared maximum mean discrepancy of the logits of fvd, kernel (x·y/400 + 1)³, over pairs of clips of "
        "different source videos; 0 on average for equal distributions at any number of clips"
    )

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """How many clips the number is of; it is not biased however few they are."""
        return f"{clips} clips; unbiased at any number of clips, so it may be negative"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of logits, every clip a source video of its own."""
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real))

    def distance_of_videos(
        self, predicted: Sequence[Features], real: Sequence[Features], videos: Names, real_videos: Names
    ) -> float:
        """Squared maximum mean discrepancy of two sets of logits, over pairs of different source videos.

        A clip may have logits of several samples, [K, 400], which are of one video and not compared either.
        """
        of_predicted, of_real = (
            np.repeat(names, [len(one) for one in side]) for names, side in ((videos, predicted), (real_videos, real))
        )
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real), of_predicted, of_real)

    def without_each(
        self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups, videos: Names | None = None
    ) -> Vector:
        """The distances without each group of clips in turn."""
        return mmd_without_each(np.concatenate(predicted), np.concatenate(real), groups, videos)
