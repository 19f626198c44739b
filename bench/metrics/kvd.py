"""Kernel video distance: the kernel distance of Bińkowski et al., "Demystifying MMD GANs" (ICLR 2018), on I3D logits.

It is an unbiased estimate of the squared maximum mean discrepancy of two sets of logits, with the kernel
(x·y/400 + 1)³. Clips of one video resemble each other, so no clip, real or predicted, is compared with one of its own
source video (Gretton et al., "A kernel two-sample test", JMLR 2012, the U-statistic of pairs that follows their
lemma 6, with videos as units).

The distance is therefore 0 for two equal sets, and 0 on average for two samples of one distribution, however few videos
there are. A Fréchet distance instead has a bias that grows as videos get fewer and differs from method to method. A
single value may be negative. Version 1 left out only pairs of a clip with itself, and of a prediction with its own real
clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.metrics.i3d_metric import LogitsMetric
from bench.metrics.mmd import OverVideos, unbiased_mmd
from bench.metrics.networks.feature_cache import Features


class KVD(OverVideos, LogitsMetric):
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
        """The number of clips, and that the estimate is unbiased however few there are."""
        return f"{clips} clips; unbiased at any number of clips, so it may be negative"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of logits, each clip as its own source video."""
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real))
