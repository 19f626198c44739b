"""Two sides that compute the same metric, in one row: clips to compute it of, weights, and their times in turns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import Frames
from bench.speed.turns import Comparison, compare_rates, in_turns

Result = NDArray[np.float64]


def pair_of_clips(frames: int, size: int, seed: int = 0) -> tuple[Frames, Frames]:
    """Smooth moving fields and a distorted copy, uint8 [frames, size, size, 3] each."""
    rng = np.random.default_rng(seed)
    t, y, x, c = np.meshgrid(np.arange(frames), np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    field = 127 + 100 * np.sin(x / 9 + t / 5 + c) * np.cos(y / 13 - t / 7)
    real = np.clip(field + rng.normal(0, 4, field.shape), 0, 255).astype(np.uint8)
    prediction = np.clip(field * 0.95 + rng.normal(3, 8, field.shape), 0, 255).astype(np.uint8)
    return prediction, real


def timed_row(
    what: str, unit: str, amount: float, ours: Callable[[], Result], other: Callable[[], Result], repetitions: int
) -> Comparison:
    """Time both sides in turns; `amount` of `unit` is what one call does."""
    made: tuple[list[Result], list[Result]] = ([], [])
    seconds = in_turns(lambda: made[0].append(ours()), lambda: made[1].append(other()), repetitions)
    difference = float(np.max(np.abs(made[0][0] - made[1][0])))
    return compare_rates(what, unit, amount, seconds, difference)


def weights_at_hand(name: str) -> dict[str, torch.Tensor] | None:
    """Published weights, where they are at hand."""
    from bench.metrics.networks.weights import load_tensors, verify

    checked = verify(name)
    return load_tensors(checked.path) if checked.state == "published" else None
