"""Fréchet distance of two sets of features, modelled as Gaussians: Dowson and Landau (1982), Heusel et al. 2017 (FID).

The distance is ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½, in float64, with N − 1 in the covariances. With Σ = AᵀA, the
last trace is the sum of the singular values of A₁A₂ᵀ. Their squares are the eigenvalues of the symmetric product
A₁Σ₂A₁ᵀ. If A is the centred features over √(N − 1), A₁A₂ᵀ is an [N₁, N₂] matrix, far smaller than the covariances if
there are fewer clips than features. `sqrtm` is not used: its interface differs between SciPy versions, and on singular
covariances it has returned complex matrices and negative distances.

Each decomposition runs on one core, in PyTorch, so the number of threads changes no bit of a distance. The two sides
are decomposed in parallel.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.metrics.base import UnfitError
from bench.metrics.networks.parallel_map import one_core_each

Vector = NDArray[np.float64]
Parts = Sequence[NDArray[Any]]


# Up to this size, singular values are computed directly, to full precision. Beyond it, they are roots of eigenvalues:
# many times faster, but where they vanish, they are wrong by about 1e-8 of the largest.
_LARGE = 1024


# Clips whose features are multiplied at once: the frames of a large test set would not fit in memory twice.
_TOGETHER = 32


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """The symmetric square root of a covariance [D, D]."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _centred(parts: Parts, mean: Vector) -> torch.Tensor:
    """The features in `parts` minus their mean, float64 [N, D]."""
    return torch.cat([torch.from_numpy(np.asarray(part, np.float64) - mean) for part in parts])


def _factor(parts: Parts) -> tuple[Vector, torch.Tensor]:
    """Mean [D] of the features in `parts` [·, D], and a matrix A of at most D rows where AᵀA is their covariance."""
    count, mean = sum(len(part) for part in parts), _mean(parts)
    if count > len(mean) > _LARGE:
        covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
        for start in range(0, len(parts), _TOGETHER):
            centred = _centred(parts[start : start + _TOGETHER], mean)
            covariance.addmm_(centred.T, centred)
        return mean, _root(covariance / (count - 1))
    scaled = _centred(parts, mean) / math.sqrt(count - 1)
    return mean, scaled if count <= len(mean) else torch.linalg.qr(scaled, mode="r").R


def _nuclear_norm(factors: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Sum of the singular values of A₁A₂ᵀ."""
    matrix = factors[0] @ factors[1].T
    if min(matrix.shape) <= _LARGE:
        return float(torch.linalg.svdvals(matrix).sum())
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    return float(torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum())


def _clip(distance: float, scale: float) -> float:
    """The distance, or 0 if it is negative; warns if it is further below 0 than rounding explains."""
    if distance < -1e-6 * max(1.0, scale):
        warnings.warn(
            f"A Fréchet distance was computed as {distance:.3g}, further below 0 than rounding explains. It is "
            "reported as 0.",
            RuntimeWarning,
            stacklevel=3,
        )
    return max(distance, 0.0)


def _checked(parts: Parts) -> int:
    """The dimension of the features; raises `BenchError` if they have no covariance."""
    shapes = {part.shape[1:] for part in parts}
    count = sum(len(part) for part in parts)
    if count < 2:
        raise UnfitError(f"A Fréchet distance needs at least two samples on both sides, but one side has {count}.")
    if len(shapes) != 1 or any(part.ndim != 2 for part in parts):
        raise BenchError(f"A Fréchet distance needs features [N, D] of the same D, but the shapes are {shapes}.")
    if not all(np.isfinite(part).all() for part in parts):
        raise BenchError("A Fréchet distance needs finite features, but some are infinite or NaN.")
    return int(shapes.pop()[0])


def _mean(parts: Parts) -> Vector:
    total = np.sum([part.sum(0, dtype=np.float64) for part in parts], axis=0)
    return np.asarray(total / sum(len(part) for part in parts), np.float64)


def frechet_distance(x: NDArray[Any] | Parts, y: NDArray[Any] | Parts) -> float:
    """Fréchet distance of two sets of features; ≥ 0, in squared feature units.

    Each side is an array [N, D] or a sequence of such arrays that are pooled (one per clip); N is at least 2 in all.

    Raises `UnfitError` for fewer than two samples, `BenchError` for different D or features that are not finite.
    """
    sides: list[Parts] = [[side] if isinstance(side, np.ndarray) else side for side in (x, y)]
    dimensions = [_checked(side) for side in sides]
    if dimensions[0] != dimensions[1]:
        raise BenchError(f"Features differ in dimension: {dimensions[0]} and {dimensions[1]}.")
    (mean_x, factor_x), (mean_y, factor_y) = one_core_each(_factor, sides)
    traces = float(np.sum(factor_x.numpy() ** 2) + np.sum(factor_y.numpy() ** 2))
    means = float(np.sum((mean_x - mean_y) ** 2))
    (nuclear_norm,) = one_core_each(_nuclear_norm, [(factor_x, factor_y)])
    return _clip(means + traces - 2.0 * nuclear_norm, traces + means)
