"""Numbers computed with the weights at hand beside the published ones: `bench weights verify --numbers`."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError
from bench.metrics.fvd import check_value
from bench.metrics.networks.weights import verify

#: Published FVD of RandomState(1) against RandomState(2) .rand(128, 16, 224, 224, 3) with the real weights.
FVD_CHECK_VALUE = 10.1381


@dataclass(frozen=True)
class NumberCheck:
    """A number computed with the weights at hand beside the published one."""

    what: str
    value: float
    published: float

    @property
    def agrees(self) -> bool:
        """Within 0.001 of the published value, whose last digit is the fourth."""
        return abs(self.value - self.published) < 1e-3


def verify_numbers(clips: int = 128) -> NumberCheck:
    """Compute the published check value of FVD with the published weights: some minutes on a CPU.

    Raises `BenchError` where the published weights are not at hand.
    """
    found = verify("fvd")
    if found.state != "published":
        raise BenchError(f"The check value of FVD needs the published weights: {found.message}")
    return NumberCheck("FVD of RandomState(1) against RandomState(2)", check_value(found.path, clips), FVD_CHECK_VALUE)
