"""Quality by ITU-T P.910 (2023), Annex E: grades freed of raters' biases, those of erratic raters weighted less.

A grade is the clip's quality plus the rater's bias plus noise of the rater's own size. Quality, bias and noise are
found in turns, until quality moves no more: bias is the mean of what a rater gives beyond quality, noise the deviation
of the rest, and quality the mean of grades less bias, weighted by one over the noise's variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Smallest variance of a rater's noise, so that no weight is infinite; and when quality moves no more.
LEAST_VARIANCE, SETTLED, ROUNDS = 1e-8, 1e-8, 1000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recovered:
    """What grades say.

    Attributes:
        quality: [clips], on the scale of the grades.
        error: [clips] standard errors of it, as the annex has them: of raters' noise alone.
        bias: [raters] of mean 0.
        noise: [raters] standard deviations.
    """

    quality: Floats
    error: Floats
    bias: Floats
    noise: Floats


def recover(grades: ArrayLike, clip: ArrayLike, rater: ArrayLike) -> Recovered:
    """Quality of each clip and bias and noise of each rater.

    Args:
        grades: [N].
        clip, rater: [N] numbers from 0; every number occurs.
    """
    values = np.asarray(grades, np.float64)
    of_clip, of_rater = np.asarray(clip, np.intp), np.asarray(rater, np.intp)
    counts = np.bincount(of_rater)
    quality = np.bincount(of_clip, values) / np.bincount(of_clip)
    bias = np.bincount(of_rater, values - quality[of_clip]) / counts
    noise = np.zeros(len(counts))
    for _ in range(ROUNDS):
        rest = values - quality[of_clip] - bias[of_rater]
        away = rest - (np.bincount(of_rater, rest) / counts)[of_rater]
        noise = np.sqrt(np.bincount(of_rater, away**2) / counts)
        weight = (1 / (noise**2 + LEAST_VARIANCE))[of_rater]
        before = quality
        quality = np.bincount(of_clip, weight * (values - bias[of_rater])) / np.bincount(of_clip, weight)
        bias = np.bincount(of_rater, values - quality[of_clip]) / counts
        if np.linalg.norm(quality - before) < SETTLED:
            break
    shift = float(bias.mean())
    weight = (1 / (noise**2 + LEAST_VARIANCE))[of_rater]
    return Recovered(quality + shift, 1 / np.sqrt(np.bincount(of_clip, weight)), bias - shift, noise)
