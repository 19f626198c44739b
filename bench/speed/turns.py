"""What all speed comparisons share: both sides take turns in one run, and medians count, because a machine's speed
changes while it is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import torch

from bench.files import write_json
from bench.provenance import provenance

#: Where the results of `bench speed` are kept.
FOLDER = Path("results") / "speed"


class Comparison(TypedDict):
    """One comparison.

    `ours` and `other` are in `unit`; a `ratio` above 1 means that ours is faster, or needs less memory.
    `max_abs_difference` is between what both sides made meanwhile.
    """

    what: str
    ours: float
    other: float
    unit: str
    ratio: float
    max_abs_difference: float


def seconds_of(call: Callable[[], None]) -> float:
    """Time one call, to the end of what it has started on a GPU."""
    started = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turns(
    ours: Callable[[], None], other: Callable[[], None], repetitions: int, after: Callable[[], None] | None = None
) -> tuple[float, float]:
    """Median seconds of two calls that take turns; a first call of each, which loads and allocates, does not count.

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


def compare_rates(what: str, unit: str, amount: float, seconds: tuple[float, float], difference: float) -> Comparison:
    """Two speeds, `amount` of `unit` in so many seconds each."""
    ours, other = (amount / each for each in seconds)
    return Comparison(what=what, ours=ours, other=other, unit=unit, ratio=ours / other, max_abs_difference=difference)


def keep(name: str, rows: list[Comparison], folder: Path = FOLDER) -> Path:
    """Keep rows with what they were measured on, one file a measurement; returns it."""
    now = datetime.now(UTC)
    path = folder / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write_json(path, {"what": name, "threads": torch.get_num_threads(), **provenance(device), "rows": rows})
    return path
