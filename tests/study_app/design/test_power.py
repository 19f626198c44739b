"""Plans with sessions of unequal length, and how many raters they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from study_app.design.power import Design, simulated_power
from study_app.pipeline.power_analysis import power_analysis

DESIGN = Design(7, 30, 300, 1, 0.6, 300)


@pytest.mark.heavy
def test_unequal_sessions_and_drop_out_cost_power() -> None:
    even, uneven = (simulated_power(replace(DESIGN, unequal=value), 600).corrected for value in (0.0, 1.0))
    left = simulated_power(replace(DESIGN, drop_out=0.5), 600).corrected
    assert uneven < even - 0.05
    assert left < even + 0.02


def test_no_rater_sees_a_pair_twice_whatever_the_sessions() -> None:
    from study_app.design.power import _unequal_raters

    design = replace(DESIGN, raters=5, votes=3, clips=200, unequal=1.5, drop_out=0.4)
    raters = _unequal_raters(design, np.random.default_rng(0)).reshape(200, 3)
    assert all(len(set(pair)) == 3 for pair in raters.tolist())
    counts = np.bincount(_unequal_raters(replace(DESIGN, unequal=1.0), np.random.default_rng(1)), minlength=30)
    assert counts.std() / counts.mean() > 0.5


def test_a_plan_says_trials_per_rater_and_the_raters_that_create_would_need() -> None:
    assert (replace(DESIGN, clips=470).trials, replace(DESIGN, clips=470).raters_needed) == (110, 66)
    assert replace(DESIGN, clips=470, drop_out=0.5, workload=70).raters_needed == 63
    said = "\n".join(power_analysis(replace(DESIGN, clips=470, videos=470), repeats=20).lines())
    assert "470 votes per comparison: 110 trials each for 30 raters, or 66 raters of 50 trials." in said
    assert "`bench study create` gives each rater 50 trials by default" in said
    few = "\n".join(power_analysis(replace(DESIGN, raters=4, clips=20, videos=20), repeats=20).lines())
    assert "fewer than 5 raters" in few


def test_sessions_that_there_are_not() -> None:
    for wrong in ({"unequal": -1.0}, {"drop_out": 1.0}, {"workload": 0}):
        with pytest.raises(BenchError):
            replace(DESIGN, **wrong).check()
