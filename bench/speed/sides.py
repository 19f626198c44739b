"""Two sides that compute the same metric, in one row: clips to compute it of, weights, and their times in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics.base import Frames

Result = NDArray[np.float64]
Row = dict[str, str | float]


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
) -> Row:
    """Time both sides in turns; `amount` of `unit` is what one call does."""
    mine, theirs = ours(), other()  # the first call of each is not timed: it loads and allocates
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions):
        for function, seconds in zip((ours, other), times, strict=True):
            started = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - started)
    our_time, other_time = (statistics.median(seconds) for seconds in times)
    return {
        "what": what,
        "ours": amount / our_time,
        "other": amount / other_time,
        "unit": unit,
        "ratio": other_time / our_time,
        "max_abs_difference": float(np.max(np.abs(mine - theirs))),
    }


def weights_at_hand(name: str) -> dict[str, torch.Tensor] | None:
    """Published weights, where they are at hand."""
    from bench.metrics.networks.weights import load_tensors, verify

    found = verify(name)
    return load_tensors(found.path) if found.state == "published" else None
