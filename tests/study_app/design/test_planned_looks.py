"""Levels of planned looks: published constants, and their size by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bench.errors import BenchError
from study_app.design.planned_looks import constant, levels
from study_app.design.settings import OBRIEN_FLEMING, POCOCK


def test_the_constants_of_five_looks() -> None:
    assert constant(5, POCOCK, 0.05) == pytest.approx(2.413, abs=5e-4)
    assert constant(5, OBRIEN_FLEMING, 0.05) == pytest.approx(2.040, abs=5e-4)
    assert constant(2, POCOCK, 0.05) == pytest.approx(2.178, abs=5e-4)
    assert constant(1, POCOCK, 0.05) == pytest.approx(1.960, abs=5e-4)
    fifths = [k / 5 for k in range(1, 6)]
    assert list(norm.isf(levels(fifths, 5, OBRIEN_FLEMING) / 2)) == pytest.approx(
        [2.040 * np.sqrt(5 / k) for k in range(1, 6)], abs=2e-3
    )


@pytest.mark.parametrize("shape", [OBRIEN_FLEMING, POCOCK])
@pytest.mark.parametrize("fractions", [(0.2, 0.4, 0.6, 0.8, 1.0), (0.2, 0.35, 0.9, 1.0), (0.5, 1.0)])
def test_all_looks_together_keep_five_per_cent(shape: str, fractions: tuple[float, ...]) -> None:
    rng = np.random.default_rng(8)
    steps = np.sqrt(np.diff(fractions, prepend=0.0)) * rng.normal(size=(60_000, len(fractions)))
    statistics = np.abs(np.cumsum(steps, axis=1)) / np.sqrt(fractions)
    crossed = (statistics > norm.isf(levels(fractions, 5, shape) / 2)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.003)
    if len(fractions) == 5:
        assert (statistics > 1.96).any(axis=1).mean() == pytest.approx(0.142, abs=0.005)


def test_looks_that_were_not_planned_have_no_level() -> None:
    with pytest.raises(BenchError, match="look 3, which"):
        levels([0.3, 0.6, 0.9], 2, POCOCK)
    for fractions in ([0.5, 0.4], [0.6, 1.2]):
        with pytest.raises(BenchError, match="must grow from look to look"):
            levels(fractions, 3, POCOCK)
