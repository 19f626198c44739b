"""What every registered metric must do, ours and anybody's: the promises of `bench.metrics.base`.

What needs published weights beside their network's shape is tested with each metric.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.metrics.base import ClipMetric, Metric, SetMetric, best_first
from bench.registry import METRICS
from tests.support.small import moving_clip

#: Metrics whose column holds numbers of whole clips, which later frames change.
OF_WHOLE_CLIPS = {"cvvdp"}
#: Metrics that look at the prediction alone, or see real clips with other eyes than predictions.
ONE_SIDED = {"flickering", "cvvdp"}
#: Metrics that see a difference only between clips whose frames have something to do with each other.
OF_TIME = {"tof", "tlp", "jerk"}


def clip_pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A prediction that is not far from a real clip which moves, uint8 `[9, 48, 40, 3]`."""
    rng = np.random.default_rng(seed)
    real = rng.integers(40, 216, (9, 48, 40, 3), dtype=np.uint8)
    return (real // 2 + rng.integers(0, 99, real.shape, dtype=np.uint8)), real


def noisy(real: np.ndarray, amount: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 1, real.shape)
    return (real + amount * noise).clip(0, 255).astype(np.uint8)


def bounds(metric: Metric) -> tuple[float, float]:
    """Least and largest value that a metric's own words allow."""
    number = r"(-?[\d.]+|-?inf)"
    if between := re.match(rf"\[{number}, {number}[])]", metric.range):
        return float(between[1]), float(between[2])
    if above := re.match(rf"≥ {number}", metric.range):
        return float(above[1]), math.inf
    return -math.inf, math.inf


@pytest.fixture(scope="module")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the one network that is small enough: what LPIPS promises does not hang on them."""
    from torchvision.models import alexnet

    folder = tmp_path_factory.mktemp("weights")
    torch.save(alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    return folder


@pytest.fixture
def metric(request: pytest.FixtureRequest, weights_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Metric:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(weights_folder))
    made: Metric = METRICS.load(request.param)()
    return made


CLIPWISE = [name for name in METRICS if issubclass(METRICS.load(name), ClipMetric)]
SETWISE = [name for name in METRICS if issubclass(METRICS.load(name), SetMetric)]
#: The package of these asks the system what it is.
MARKED = [pytest.param(name, marks=pytest.mark.process) if name == "cvvdp" else name for name in CLIPWISE]
of_clips = pytest.mark.parametrize("metric", MARKED, indirect=True)
of_sets = pytest.mark.parametrize("metric", SETWISE, indirect=True)


def value(metric: ClipMetric, prediction: np.ndarray, real: np.ndarray) -> float:
    return metric.clip(metric.compute(prediction, real))


def test_every_registered_metric_is_of_one_of_the_two_kinds() -> None:
    assert sorted([*CLIPWISE, *SETWISE]) == sorted(METRICS)


@pytest.mark.parametrize("name", list(METRICS))
def test_a_metric_says_what_a_table_needs(name: str) -> None:
    metric = METRICS.load(name)
    assert metric.name == name
    assert metric.direction in ("lower", "higher", "one")
    assert metric.decimals >= 0
    assert metric.version >= 1
    assert len(metric.definition) > 20
    assert metric.range


@of_clips
def test_columns_are_numbers_of_frames_and_follow_from_the_two_clips_alone(metric: ClipMetric) -> None:
    pair, other = clip_pair(0), clip_pair(1)
    assert metric.unavailable() is None
    originals = [clip.copy() for clip in pair]
    columns = metric.compute(*pair)
    assert tuple(columns) == metric.columns
    for column in columns.values():
        assert column.dtype == np.float64
        assert column.shape == (9,)
    metric.compute(*other)  # nothing is left of what was computed before
    again, short = metric.compute(*pair), metric.compute(*(clip[:4] for clip in pair))
    for name, column in columns.items():
        np.testing.assert_array_equal(again[name], column)
        if metric.name not in OF_WHOLE_CLIPS:
            np.testing.assert_allclose(short[name], column[:4], rtol=1e-5, atol=1e-6)  # nor do later frames change it
    for clip, before in zip(pair, originals, strict=True):
        np.testing.assert_array_equal(clip, before)
    assert math.isfinite(metric.clip({name: column[1:] for name, column in columns.items()}))


@of_clips
def test_nothing_is_better_than_the_real_clip_and_more_noise_is_worse(metric: ClipMetric) -> None:
    real = moving_clip(0, 9, 48) // 2 + 64 if metric.name in OF_TIME else clip_pair()[1]
    identical = value(metric, real, real)
    assert identical == {"lower": 0.0, "one": 1.0}.get(metric.direction, identical)
    values = [identical, *(value(metric, noisy(real, amount), real) for amount in (4, 16, 64))]
    least, most = bounds(metric)
    assert all(least <= found <= most for found in values)
    order = [best_first(metric.direction, found) for found in values]
    assert order == sorted(order)
    assert len(set(order)) == 4


@of_clips
def test_the_prediction_comes_first(metric: ClipMetric) -> None:
    prediction, real = clip_pair()
    forward, back = value(metric, prediction, real), value(metric, real, prediction)
    if metric.name in ONE_SIDED:
        assert back != forward
        return
    # An error is the same both ways; a ratio is turned over.
    assert back == pytest.approx(1 / forward if metric.direction == "one" else forward, rel=1e-6)


@of_sets
def test_a_distance_of_sets_is_least_to_itself_and_knows_no_order(metric: SetMetric) -> None:
    rng = np.random.default_rng(0)
    scale = rng.normal(size=metric.dimension)
    clips = [(scale + rng.normal(size=(2, metric.dimension))).astype(np.float32) for _ in range(6)]
    itself = metric.distance(clips, clips)
    apart = [metric.distance([clip + shift for clip in clips], clips) for shift in (0.5, 1.0, 2.0)]
    assert [best_first(metric.direction, found) for found in (itself, *apart)] == sorted(
        best_first(metric.direction, found) for found in (itself, *apart)
    )
    size = metric.distance([np.zeros_like(clip) for clip in clips], clips)
    assert abs(itself) < 1e-3 * size
    far = [clip * 2 for clip in clips]
    assert metric.distance(far, clips) == pytest.approx(metric.distance(clips, far), rel=1e-6)
    backwards = metric.distance(far[::-1], clips[::-1])  # both: a prediction may stay with its clip
    assert backwards == pytest.approx(metric.distance(far, clips), rel=1e-6)
    least, most = bounds(metric)
    assert all(least <= found <= most for found in apart)
