"""Metrics of user-supplied features: `NAME.frechet`, `NAME.mmd`, `NAME.jedi` and four based on nearest neighbours.

NAME is the user's name for the features. CD-FVD, JEDi and FD-DINOv2 can thus be computed from their authors' features,
without weights from this project. They get the same intervals and real vs. real (split-half) as FVD.

Only the unbiased `NAME.mmd` ranks methods. The others have a bias that depends on the number of clips and is larger for
some methods than for others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.metrics import neighbours
from bench.metrics.base import Direction, Frames, RowKey, SetMetric
from bench.metrics.feature_sources import Features, FeatureSource
from bench.metrics.frechet import frechet_distance
from bench.metrics.jedi import jedi_mmd, jedi_without_each
from bench.metrics.mmd import Names, OverVideos
from bench.metrics.neighbours import K, Measure
from bench.metrics.networks.parallel_map import one_core_each

Groups = NDArray[np.intp]
Vector = NDArray[np.float64]


class FeatureMetric(SetMetric):
    """A metric of user-supplied features; `named` creates a subclass for each name of features."""

    features_name: ClassVar[str] = ""
    default = False
    basis = "features"
    dimension = 0  # depends on the user's features, which the class does not know
    per_frame = False
    min_clips = 2
    #: Display name of the measure, printed after the name of the features.
    measure_label: ClassVar[str]
    bias: ClassVar[str]

    def __init__(self, source: FeatureSource) -> None:
        self._source = source

    @classmethod
    @lru_cache(maxsize=64)
    def named(cls, name: str) -> type[FeatureMetric]:
        """The subclass for a metric's full name, `NAME.measure`."""
        features = name.rpartition(".")[0]
        label = f"{features} {cls.measure_label}"
        return type(cls.__name__, (cls,), {"name": name, "label": label, "features_name": features})

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """The number of clips, and how the metric is biased."""
        return f"{clips} clips; {cls.bias}"

    @classmethod
    def ranks(cls, clips: int) -> bool:
        """Whether the estimate is unbiased; the number of clips does not matter."""
        return cls.unbiased

    @classmethod
    def not_ranked(cls, clips: int) -> str:
        """Why methods are not ranked."""
        return f"methods are not ranked by it; {cls.features_name}.mmd of the same features is unbiased"

    def weights_id(self) -> str:
        """Identity of the source that computed the features."""
        return self._source.identity()

    def features_id(self) -> str:
        """Name and identity of the source, the same for all of its metrics."""
        return f"features {self._source.name} {self._source.identity()}"

    def features(self, clips: Sequence[Frames]) -> list[Features]:
        """Raise `BenchError`: the features cannot be found from frames alone (see `features_of`)."""
        raise BenchError(f"{self.name} needs clip IDs to find the features.")

    def features_of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[Features]:
        """The source's features of these clips."""
        return self._source.of(row, ids, clips)


def _own_videos(predicted: Sequence[Features], real: Sequence[Features]) -> tuple[Groups, Groups]:
    """Names of source videos if every clip is its own video; with equal counts, clips i of both sides share one."""
    first = 0 if len(predicted) == len(real) else len(predicted)
    return np.arange(len(predicted)), np.arange(first, first + len(real))


def _items(groups: Groups, side: Sequence[Features]) -> Groups:
    """The group of each vector, from the groups of the clips."""
    return np.repeat(groups, [len(clip) for clip in side])


class FrechetOfFeatures(FeatureMetric):
    """Fréchet distance of two sets of features."""

    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    decimals = 2
    measure_label = "Fréchet"
    bias = "biased upwards where clips are not many times as many as the numbers of a feature"
    definition = "Fréchet distance of the features that --features gives, as fvd's of its logits; biased upwards"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Fréchet distance of two sets of features."""
        return frechet_distance(predicted, real)

    def without_each(
        self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups, videos: Names | None = None
    ) -> Vector:
        """The distances without each group of clips in turn, several in parallel."""

        def without(group: int) -> float:
            kept = np.flatnonzero(groups != group).tolist()
            return self.distance([predicted[i] for i in kept], [real[i] for i in kept])

        return np.array(one_core_each(without, range(int(groups.max()) + 1)))


class MMDOfFeatures(OverVideos, FeatureMetric):
    """Unbiased squared maximum mean discrepancy, as in KVD."""

    direction: ClassVar[Direction] = "lower"
    range = "any, 0 for equal sets"
    unbiased = True
    measure_label = "MMD"
    bias = "unbiased at any number of clips, so it may be negative"
    definition = (
        "unbiased squared maximum mean discrepancy of the features that --features gives, kernel (x·y/D + 1)³, as "
        "kvd's of its logits"
    )

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of features, each clip as its own source video."""
        return self.distance_of_videos(predicted, real, *_own_videos(predicted, real))


class JEDiOfFeatures(FeatureMetric):
    """JEDi's biased squared maximum mean discrepancy."""

    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    measure_label = "JEDi"
    bias = "biased upwards by the number of clips; JEDi prints 100 times this number"
    definition = (
        "squared maximum mean discrepancy of the features that --features gives, kernel (x·y/D)², mean over all pairs "
        "as JEDi computes it, which prints 100 times this number; biased upwards"
    )

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of features."""
        return jedi_mmd(np.concatenate(predicted), np.concatenate(real))

    def without_each(
        self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups, videos: Names | None = None
    ) -> Vector:
        """The distances without each group of clips in turn."""
        return jedi_without_each(np.concatenate(predicted), np.concatenate(real), _items(groups, real))


class NeighboursOfFeatures(FeatureMetric):
    """Base class of precision, recall, density and coverage."""

    direction: ClassVar[Direction] = "higher"
    range = "[0, 1]"
    most = 1.0
    decimals = 3
    min_clips = K + 1
    largest = 5_000
    measure: ClassVar[Measure]
    bias = f"nearest neighbours, k = {K}; depends on the number of clips"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """The measure's number for two sets of features."""
        return self.measure(np.concatenate(predicted), np.concatenate(real))

    def without_each(
        self, predicted: Sequence[Features], real: Sequence[Features], groups: Groups, videos: Names | None = None
    ) -> Vector:
        """The numbers without each group of clips in turn."""
        return self.measure.without_each(np.concatenate(predicted), np.concatenate(real), _items(groups, real))


class PrecisionOfFeatures(NeighboursOfFeatures):
    """Precision of Kynkäänniemi et al. (2019)."""

    measure_label = "precision"
    measure = neighbours.precision
    definition = (
        f"share of predictions within the reach of a real clip, its {K}th nearest real neighbour, by --features"
    )


class RecallOfFeatures(NeighboursOfFeatures):
    """Recall of Kynkäänniemi et al. (2019)."""

    measure_label = "recall"
    measure = neighbours.recall
    definition = f"share of real clips within the reach of a prediction, its {K}th nearest prediction, by --features"


class DensityOfFeatures(NeighboursOfFeatures):
    """Density of Naeem et al. (2020)."""

    range = "≥ 0, 1 on average for equal sets"
    most = math.inf
    measure_label = "density"
    measure = neighbours.density
    definition = f"in how many real clips' reach a prediction is, divided by {K}; mean over predictions, by --features"


class CoverageOfFeatures(NeighboursOfFeatures):
    """Coverage of Naeem et al. (2020)."""

    measure_label = "coverage"
    measure = neighbours.coverage
    definition = f"share of real clips with a prediction in reach, the {K}th nearest real neighbour, by --features"
