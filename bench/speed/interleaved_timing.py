"""Interleaved timing, shared by all speed comparisons.

Both sides take turns in one run, and medians count, because a machine's speed changes while it is measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from bench.files import write_json
from bench.metrics.base import Frames
from bench.provenance import provenance

#: Folder for the results of `bench speed`.
FOLDER = Path("results") / "speed"


class TimingComparison(TypedDict):
    """One comparison.

    `ours` and `other` are in `unit`; a `ratio` above 1 means that our side is faster or needs less memory.
    `max_abs_difference` is the largest difference between the two sides' results.
    """

    what: str
    ours: float
    other: float
    unit: str
    ratio: float
    max_abs_difference: float


def seconds_of(call: Callable[[], None]) -> float:
    """Time one call, including the work that it starts on a GPU."""
    started = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turns(
    ours: Callable[[], None], other: Callable[[], None], repetitions: int, after: Callable[[], None] | None = None
) -> tuple[float, float]:
    """Median seconds of two calls that take turns; the first call of each, which loads and allocates, does not count.

    `after` is called after each turn, untimed.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions + 1):
        for call, seconds in zip((ours, other), times, strict=True):
            seconds.append(seconds_of(call))
        if after:
            after()
    first, second = (statistics.median(seconds[1:]) for seconds in times)
    return first, second


def compare_rates(
    what: str, unit: str, amount: float, seconds: tuple[float, float], difference: float
) -> TimingComparison:
    """Compare two speeds: `amount` of `unit` in the `seconds` of each side."""
    ours, other = (amount / each for each in seconds)
    return TimingComparison(
        what=what, ours=ours, other=other, unit=unit, ratio=ours / other, max_abs_difference=difference
    )


def keep(name: str, rows: list[TimingComparison], folder: Path = FOLDER) -> Path:
    """Write rows with the provenance of their measurement to a new file; returns its path."""
    now = datetime.now(UTC)
    path = folder / f"{name}-{now:%Y%m%d-%H%M%S-%f}.json"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write_json(path, {"what": name, "threads": torch.get_num_threads(), **provenance(device), "rows": rows})
    return path


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
) -> TimingComparison:
    """Time both sides in turns; one call processes `amount` of `unit`."""
    made: tuple[list[Result], list[Result]] = ([], [])
    seconds = in_turns(lambda: made[0].append(ours()), lambda: made[1].append(other()), repetitions)
    difference = float(np.max(np.abs(made[0][0] - made[1][0])))
    return compare_rates(what, unit, amount, seconds, difference)


def weights_at_hand(name: str) -> dict[str, torch.Tensor] | None:
    """Published weights, or None if they are not available."""
    from bench.metrics.networks.weights_catalog import load_tensors, verify

    checked = verify(name)
    return load_tensors(checked.path) if checked.state == "published" else None
