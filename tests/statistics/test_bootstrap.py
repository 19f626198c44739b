from __future__ import annotations

import numpy as np
import pytest

from bench.statistics import bootstrap_interval


def test_the_mean_is_over_clips_and_the_interval_holds_it() -> None:
    values = [1.0, 2.0, 3.0, 10.0]
    interval = bootstrap_interval(values, ["a", "a", "a", "b"])
    assert interval.mean == 4.0
    assert interval.low == 2.0  # only video a drawn
    assert interval.high == 10.0
    assert interval.clusters == 2


def test_a_seed_gives_the_same_again_and_another_seed_other_draws() -> None:
    values, videos = np.random.default_rng(0).normal(size=40), np.arange(40)
    first = bootstrap_interval(values, videos, 200, seed=1)
    assert first == bootstrap_interval(values, videos, 200, seed=1)
    assert first != bootstrap_interval(values, videos, 200, seed=2)


def test_large_numbers_of_videos_are_drawn_in_parts_without_changing_a_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_interval(values, range(50), 999)
    monkeypatch.setattr("bench.statistics.bootstrap._CHUNK", 350)
    assert bootstrap_interval(values, range(50), 999) == whole
