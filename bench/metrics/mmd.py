"""KVD's kernel distance for any features: an unbiased squared maximum mean discrepancy.

The kernel is (x·y/D + 1)³. No item is compared with one of its own source video (Gretton et al., "A kernel
two-sample test", JMLR 2012, the U-statistic of pairs that follows their lemma 6, with videos as units).

Blocks of rows of the kernel matrix are computed in parallel, each on one core, and summed in order, so the number of
threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import UnfitError
from bench.metrics.networks.feature_cache import Features
from bench.metrics.networks.parallel_map import one_core_each

Vector = NDArray[np.float64]
Groups = NDArray[np.intp]
Names = Sequence[Any] | NDArray[Any]
_ROWS = 512  # rows of the kernel matrix at a time


@dataclass(frozen=True)
class KernelSums:
    """Sums of the kernel over pairs of items of two sets, by groups of the items, float64 [G] each.

    Attributes:
        first: sums over the pairs whose first item is in the group.
        second: sums over the pairs whose second item is in the group.
        within: sums over the pairs whose items are both in the group.
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
    """Items [N, D] of one set, with each item's source video and the group of videos it is left out with, as numbers.

    A video has the same number on both sides of a comparison and belongs to one group.
    """

    items: Vector
    videos: Groups
    groups: Groups


def kernel_sums(one: Side, other: Side, paired: bool = True) -> tuple[KernelSums, KernelSums]:
    """Sums of (a·b/D + 1)³ over pairs of one item from each side, by groups numbered from 0; and counts of the pairs.

    Pairs within one video are left out. If `paired` and both sides have the same number of items, pairs (i, i) are left
    out too: an item with itself, or a prediction with its real clip.
    """
    count = 1 + int(max(one.groups.max(), other.groups.max()))
    left, right = torch.tensor(one.items), torch.tensor(other.items)
    paired = paired and len(one.items) == len(other.items)

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


def unbiased_mmd(
    x: NDArray[Any], y: NDArray[Any], of_x: Names | None = None, of_y: Names | None = None, *, paired: bool = True
) -> float:
    """Unbiased squared maximum mean discrepancy of two samples [N, D] and [M, D], with the kernel (a·b/D + 1)³.

    Args:
        x, y: the samples.
        of_x, of_y: names of the items' source videos. Without them, every item is its own video; if N = M, item i of
            one sample and item i of the other share a video.
        paired: whether items i of both samples belong together if N = M, and are not compared. Otherwise, the order of
            the items changes nothing.

    Items of one video are not compared. Raises `UnfitError` if a side has items of fewer than two videos, because there
    is no pair to compare.
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
            f"MMD needs clips of two source videos on both sides, but there are {counts[0]} and {counts[1]} videos."
        )

    def mean(one: Side, other: Side) -> float:
        values, pairs = kernel_sums(one, other, paired)
        if not pairs.whole:
            raise UnfitError("MMD compares clips of different source videos, but all clips are of one video.")
        return values.whole / pairs.whole

    first, second = sides
    return mean(first, first) + mean(second, second) - 2 * mean(first, second)


def mmd_without_each(x: NDArray[Any], y: NDArray[Any], groups: Groups, of: Names | None = None) -> Vector:
    """`unbiased_mmd` of two samples [N, D] without each group of items in turn, [G], at the cost of one distance.

    `groups[i]` is the group, 0 … G − 1, of item i of both samples. `of` names their source videos; without it, every
    item is its own video. Raises `UnfitError` if fewer than two videos are left.
    """
    names = range(len(groups)) if of is None else of
    videos = np.unique([str(name) for name in names], return_inverse=True)[1]
    first, second = (Side(items.astype(np.float64), videos, groups) for items in (x, y))
    of_pairs = [kernel_sums(first, first), kernel_sums(second, second), kernel_sums(first, second)]
    same_x, same_y, cross = (values.without_each for values, _ in of_pairs)
    left = of_pairs[0][1].without_each  # the same for all three: item i of both sides is from one video
    if left.min() <= 0:
        raise UnfitError("MMD needs clips of two source videos; when one group of them is left out, fewer remain.")
    return np.asarray((same_x + same_y - 2 * cross) / left)


class OverVideos:
    """Mixin for metrics with this distance, which compares only clips of different source videos.

    A clip has features [K, D]: one vector, or one per sample or frame. They share a video, so they are not compared.
    """

    def distance_of_videos(
        self,
        predicted: Sequence[Features],
        real: Sequence[Features],
        videos: Names,
        real_videos: Names,
        *,
        paired: bool = True,
    ) -> float:
        """Squared maximum mean discrepancy of two sets of clips, over pairs of different source videos."""
        of = (_of_items(names, side) for names, side in ((videos, predicted), (real_videos, real)))
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real), *of, paired=paired)

    def without_each(
        self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups, videos: Names | None = None
    ) -> Vector:
        """The distances without each group of clips in turn."""
        names = np.arange(len(real)) if videos is None else videos
        of = (_of_items(one, real) for one in (groups, names))
        return mmd_without_each(np.concatenate(predicted), np.concatenate(real), *of)


def _of_items(names: Names, clips: Sequence[Features]) -> NDArray[Any]:
    """Each clip's name, repeated for each of its feature vectors."""
    return np.repeat(np.asarray(names), [len(clip) for clip in clips])
