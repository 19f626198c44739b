"""Several planned looks at a study: the level of each look, chosen so that all of them together keep 5 %.

Votes between looks are independent, so the statistics of the looks are sums of independent normal steps. The bounds
have the shape of Pocock (Biometrika 1977) or of O'Brien and Fleming (Biometrics 1979) at equally spaced looks. Their
constant is found by integrating from look to look (Armitage, McPherson and Rowe, Journal of the Royal Statistical
Society A 1969).

The share of the 5 % that the bounds have spent by each look is a function of the votes so far. If a look takes place at
a different number of votes than planned, its bound spends exactly that share (Lan and DeMets, Biometrika 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from bench.errors import BenchError
from study_app.design.settings import POCOCK

#: Integration points over the statistics of studies that continue, and the largest statistic.
POINTS, REACH = 96, 8.0
Floats = NDArray[np.float64]


def crossed(bounds: Floats, fractions: Floats) -> Floats:
    """[K] probability, under no difference, that |Z| has crossed its bound by each look.

    Args:
        bounds: [K] bounds of |Z| at each look.
        fractions: [K] fractions of all planned votes at each look, ascending, above 0.
    """
    places, weights = np.polynomial.legendre.leggauss(POINTS)
    grid, mass = np.zeros(1), np.ones(1)  # of √t·Z, for studies that continue
    before, chances = 0.0, []
    for bound, fraction in zip(bounds, fractions, strict=True):
        variance, end = fraction - before, min(bound, REACH) * np.sqrt(fraction)
        points = end * places
        density = np.exp(-((points[:, None] - grid[None, :]) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        grid, mass, before = points, end * weights * (density @ mass), fraction
        chances.append(1 - float(mass.sum()))
    return np.array(chances)


@lru_cache(maxsize=512)
def constant(looks: int, shape: str, alpha: float) -> float:
    """The constant of the bounds: 2.413 (Pocock) and 2.040 (O'Brien and Fleming) for five looks at 5 %."""
    fractions = np.arange(1, looks + 1) / looks
    ends = -ndtri(alpha / 2) * 0.99, -ndtri(alpha / 2 / looks) * 1.01
    of = _shape(shape, fractions)
    return float(brentq(lambda value: crossed(value * of, fractions)[-1] - alpha, *ends, xtol=1e-7))


def _shape(shape: str, fractions: Floats) -> Floats:
    return np.ones_like(fractions) if shape == POCOCK else 1 / np.sqrt(fractions)


def levels(fractions: Sequence[float], looks: int, shape: str, alpha: float = 0.05) -> Floats:
    """[K] two-sided level of each look so far: a comparison is decided if its p value is below the level.

    Args:
        fractions: fractions of all planned votes at each look so far, ascending, above 0, at most 1.
        looks: number of planned looks.
        shape: one of `settings.LOOK_SHAPES`.
        alpha: level of all looks together.

    Raises:
        BenchError: more looks than planned, or votes that do not grow from look to look up to the planned number.
    """
    of = np.asarray(fractions, np.float64)
    if len(of) > looks:
        raise BenchError(f"{looks} looks were planned, but this is look {len(of)}, which has no significance level.")
    if not (np.all(np.diff(of, prepend=0.0) > 0) and of[-1] <= 1 + 1e-9):
        raise BenchError("The number of votes must grow from look to look, up to the planned number.")
    planned = np.arange(1, looks + 1) / looks
    bounds = constant(looks, shape, alpha) * _shape(shape, planned)
    if not np.allclose(of, planned[: len(of)]):
        spent = np.concatenate([[0.0], crossed(bounds, planned)[:-1], [alpha]])
        bounds = _spending(of, np.interp(of, np.concatenate([[0.0], planned]), spent))
    return np.asarray(2 * ndtr(-bounds[: len(of)]), np.float64)


def _spending(fractions: Floats, spent: Floats) -> Floats:
    """[K] bounds that have spent the given shares of the level by each look."""
    bounds: list[float] = []
    for place, allowed in enumerate(spent):
        upto = fractions[: place + 1]

        def excess(bound: float, upto: Floats = upto, allowed: float = float(allowed)) -> float:
            return float(crossed(np.array([*bounds, bound]), upto)[-1]) - allowed

        bounds.append(float(brentq(excess, 1e-3, REACH, xtol=1e-6)) if excess(REACH) < 0 else REACH)
    return np.array(bounds)
