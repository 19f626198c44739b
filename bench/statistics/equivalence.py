"""Test that two methods differ by less than a stated margin, which "no significant difference" does not show.

It consists of two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987). They show that
the difference is above −margin and below +margin, each at 5 %. This is the case when its 90 % interval is between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import Estimate, mean_over_clips


@dataclass(frozen=True)
class Equivalence:
    """Whether two methods are equivalent.

    Attributes:
        difference: mean of a − b over clips.
        low, high: ends of its interval at the level 1 − 2 · alpha, which decides.
        margin: the limit for the difference, in both directions.
        p_value: p value of "the difference is as large as the margin, or larger".
        alpha: size of the test.
        clusters: number of source videos.
    """

    difference: float
    low: float
    high: float
    margin: float
    p_value: float
    alpha: float
    clusters: int

    @property
    def shown(self) -> bool:
        """Whether the methods are shown to be equivalent within the margin."""
        return self.p_value < self.alpha


def within(estimate: Estimate, margin: float, clusters: int, alpha: float = 0.05) -> Equivalence:
    """Apply the two one-sided tests to any estimated difference; raises as `equivalence` does."""
    if not (math.isfinite(margin) and margin > 0):
        raise BenchError(f"An equivalence margin must be above 0, not {margin}.")
    above = estimate.one_sided_p_value(-margin)
    below = Estimate(-estimate.value, estimate.variance, estimate.parts).one_sided_p_value(-margin)
    ends = estimate.ends(1 - 2 * alpha)
    return Equivalence(estimate.value, *ends, margin, max(above, below), alpha, clusters)


def equivalence(a: ArrayLike, b: ArrayLike, clusters: Sequence[Any], margin: float, alpha: float = 0.05) -> Equivalence:
    """Test whether the mean of a − b over the same clips is within ± `margin`, by a jackknife t over source videos.

    Args:
        a, b: [N] finite numbers of the same N clips in the same order.
        clusters: [N] names of the source videos.
        margin: the largest difference that does not matter, in the metric's unit; state it before looking.
        alpha: size of the test.

    Raises:
        BenchError: the margin is not positive, and as `paired_difference` does.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise BenchError(
            f"Paired values must come from the same clips, but one row has {first.size} and the other {second.size}."
        )
    with np.errstate(invalid="ignore"):
        estimate, videos, _ = mean_over_clips(first - second, clusters)
    return within(estimate, margin, videos.count, alpha)
