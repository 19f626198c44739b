"""Intervals and tests for means over clips, methods and training runs.

Clips of one video are not independent, so the unit is always the source video. `docs/explanation/statistics.md`
describes what each function assumes and how often it holds, as measured. Every function returns the same bytes whatever
the order of its clips. Functions that draw at random are seeded.

- `jackknife_interval(values, clusters) -> Interval`: a method's mean, over videos.
- `seeds_and_videos_interval(values[S, N], clusters) -> SeedsInterval`: the same, over videos and training runs.
- `seeds_and_videos_difference(a, b, clusters, rows=2) -> SeedsDifference`: two methods over both, by a t test.
- `seeds_and_videos_equivalence(a, b, clusters, margin) -> SeedsEquivalence`: whether they differ by less than a margin.
- `paired_difference(a, b, clusters) -> Difference`: two methods named beforehand, by sign flips.
- `best_of_many(rows, clusters, direction, bound=) -> RankedRows`: order; each against the best (max-T).
- `best_of_samples(values[..., n], k) -> [...]`: the expected best of k of n samples per clip.
- `seeds_and_videos_against_best(row, best, clusters, rows=2) -> SeedsDifference`: one against the best, by a t test.
- `smallest_p_value(videos) -> float`: the smallest p value that sign flips of this many videos can give.
- `equivalence(a, b, clusters, margin) -> Equivalence`: whether two methods differ by less than a margin.
- `leave_out(distances, clusters) -> LeaveOneOutDistances`: metrics of sets; `.interval(row)`,
  `.difference(row, other, rows=2)`, `.equivalence(row, other, margin)`.
- `TwoSetDistances(real, generated)`: the same where the two sides are not paired.
- `log_distance(ratios)`: how far ratios are from 1, infinite for a still.
- `holm(p_values)`, `holm_over_families(p_values, families)`: corrections; `printed_p(p_value)`: text.
- `over_seeds(values)`: mean and deviation over seeds.
"""

from bench.statistics.best_of_many import ComparisonWithBest, RankedRows, at_bound, best_of_many
from bench.statistics.best_of_samples import best_of_samples
from bench.statistics.cluster_jackknife import ALPHA, LEVEL, SEED, Difference, Interval, jackknife_interval
from bench.statistics.equivalence import Equivalence, equivalence
from bench.statistics.leave_one_out import GROUPS, LeaveOneOutDistances, TwoSetDistances, leave_out
from bench.statistics.log_ratio import log_distance
from bench.statistics.multiple_testing import holm, holm_over_families, printed_p
from bench.statistics.sign_flip import DRAWS, paired_difference, smallest_p_value
from bench.statistics.training_seeds import (
    OVER_TRAININGS,
    THESE_TRAININGS,
    SeedsDifference,
    SeedsEquivalence,
    SeedsInterval,
    SeedsSummary,
    over_seeds,
    scope_in_words,
    seeds_and_videos_against_best,
    seeds_and_videos_difference,
    seeds_and_videos_equivalence,
    seeds_and_videos_interval,
)

__all__ = [
    "ALPHA",
    "DRAWS",
    "GROUPS",
    "LEVEL",
    "OVER_TRAININGS",
    "SEED",
    "THESE_TRAININGS",
    "ComparisonWithBest",
    "Difference",
    "Equivalence",
    "Interval",
    "LeaveOneOutDistances",
    "RankedRows",
    "SeedsDifference",
    "SeedsEquivalence",
    "SeedsInterval",
    "SeedsSummary",
    "TwoSetDistances",
    "at_bound",
    "best_of_many",
    "best_of_samples",
    "equivalence",
    "holm",
    "holm_over_families",
    "jackknife_interval",
    "leave_out",
    "log_distance",
    "over_seeds",
    "paired_difference",
    "printed_p",
    "scope_in_words",
    "seeds_and_videos_against_best",
    "seeds_and_videos_difference",
    "seeds_and_videos_equivalence",
    "seeds_and_videos_interval",
    "smallest_p_value",
]
