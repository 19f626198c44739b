"""Kernel video distance: the kernel distance of Bińkowski et al., "Demystifying MMD GANs" (ICLR 2018), of I3D's logits.

The squared maximum mean discrepancy of two sets of logits with the kernel (x·y/400 + 1)³, estimated without bias: no
clip is compared with one of its own source video, be it real or predicted, since clips of one video resemble each other
(Gretton et al., "A kernel two-sample test", JMLR 2012, the U-statistic of pairs that follows their lemma 6, with videos
as units). So it is 0 for two equal sets, and 0 on average for two samples of one distribution, however few videos there
are, where a Fréchet distance has a bias that grows as they get fewer and differs from model to model. A single value
may be negative. Version 1 left out only a clip and itself, and a prediction and its own real clip.
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
        """How many clips the number is of; it is not biased however few they are."""
        return f"{clips} clips; unbiased at any number of clips, so it may be negative"

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Squared maximum mean discrepancy of two sets of logits, every clip a source video of its own."""
        return unbiased_mmd(np.concatenate(predicted), np.concatenate(real))
