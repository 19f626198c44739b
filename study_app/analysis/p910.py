"""Quality by ITU-T P.910 (2023), Annex E: raters' biases are removed and inconsistent raters get less weight.

A grade is modelled as the clip's quality plus the rater's bias plus noise with a rater-specific standard deviation. The
three are estimated in turn until quality converges:

- bias: mean of the rater's grades minus quality;
- noise: standard deviation of the residuals;
- quality: mean of grades minus bias, weighted by the inverse noise variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Variance added to a rater's noise, so that weights are finite; convergence tolerance; iteration limit.
LEAST_VARIANCE, SETTLED, ROUNDS = 1e-8, 1e-8, 1000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recovered:
    """Estimates from grades.

    Attributes:
        quality: [clips] quality on the scale of the grades.
        error: [clips] standard errors of the quality, from raters' noise alone as in the annex.
        bias: [raters] biases with mean 0.
        noise: [raters] standard deviations.
    """

    quality: Floats
    error: Floats
    bias: Floats
    noise: Floats


def recover(grades: ArrayLike, clip: ArrayLike, rater: ArrayLike) -> Recovered:
    """Estimate the quality of each clip, and the bias and noise of each rater.

    Args:
        grades: [N] grades.
        clip, rater: [N] indices from 0; every index occurs.
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
