from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.metrics import frechet
from bench.metrics.frechet import frechet_distance
from bench.metrics.fvd import FVD
from bench.metrics.kvd import KVD
from bench.metrics.mmd import unbiased_mmd
from tests.support.small import REPOSITORY


def _features(seed: int, count: int, dimension: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, dimension)) @ rng.normal(size=(dimension, dimension)) + rng.normal(size=dimension)


def _by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """The formula with covariances, its last trace by the eigenvalues of the product of covariances."""
    first, second = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    roots = np.sqrt(np.clip(np.linalg.eigvals(first @ second).real, 0, None)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * roots)


sizes = st.tuples(st.integers(2, 30), st.integers(2, 30), st.integers(1, 20))
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, sizes)
def test_it_is_the_formula_with_more_and_with_fewer_clips_than_features(seed: int, size: tuple[int, int, int]) -> None:
    x, y = _features(seed, size[0], size[2]), _features(seed + 1, size[1], size[2])
    scale = np.var(x, 0, ddof=1).sum() + np.var(y, 0, ddof=1).sum()
    assert frechet_distance(x, y) == pytest.approx(_by_definition(x, y), rel=1e-6, abs=1e-6 * scale)


@settings(max_examples=40, deadline=None)
@given(seeds, sizes)
def test_identity_symmetry_and_sign(seed: int, size: tuple[int, int, int]) -> None:
    x, y = _features(seed, size[0], size[2]), _features(seed + 1, size[1], size[2])
    assert frechet_distance(x, x) <= 1e-6 * np.var(x, 0, ddof=1).sum()
    assert frechet_distance(x, x[::-1]) <= 1e-6 * np.var(x, 0, ddof=1).sum()
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)
    assert frechet_distance(x, y) >= 0


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.1, 10), st.floats(-100, 100))
def test_scaling_shifting_and_rotating(seed: int, factor: float, shift: float) -> None:
    x, y = _features(seed, 12, 5), _features(seed + 1, 9, 5)
    plain = frechet_distance(x, y)
    assert frechet_distance(factor * x, factor * y) == pytest.approx(factor**2 * plain, rel=1e-8)
    assert frechet_distance(x + shift, y + shift) == pytest.approx(plain, rel=1e-6)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(plain, rel=1e-8)


def test_it_is_the_closed_form_of_two_gaussians() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 3))
    base = (base - base.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(base.T)).T)  # covariance exactly 1
    scales, means = np.array([1.0, 2.0, 3.0]), np.array([5.0, 0.0, -2.0])
    assert frechet_distance(base * scales + means, base) == pytest.approx((means**2).sum() + ((scales - 1) ** 2).sum())


def test_covariances_are_divided_by_n_minus_one() -> None:
    x, y = np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])
    assert frechet_distance(x, y) == pytest.approx(1.0 + (np.sqrt(2) - np.sqrt(8)) ** 2)


def test_the_way_of_large_dimensions_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [(_features(0, n, 24), _features(1, m, 24)) for n, m in ((60, 50), (10, 50), (50, 10), (9, 12))]
    exact = [frechet_distance(x, y) for x, y in cases]
    monkeypatch.setattr(frechet, "_LARGE", 4)
    assert [frechet_distance(x, y) for x, y in cases] == pytest.approx(exact, rel=1e-7)


def test_parts_are_taken_together() -> None:
    x, y = _features(0, 40, 6).astype(np.float32), _features(1, 30, 6).astype(np.float32)
    whole = frechet_distance(x, y)
    assert frechet_distance(np.split(x, 8), np.split(y, 3)) == pytest.approx(whole, rel=1e-9)
    assert frechet_distance(list(x[:, None]), y) == pytest.approx(whole, rel=1e-9)


def test_dead_and_equal_features_do_no_harm() -> None:
    x, y = _features(0, 30, 8), _features(1, 30, 8)
    dead = np.zeros((30, 4))
    assert frechet_distance(np.hstack([x, dead]), np.hstack([y, dead])) == pytest.approx(frechet_distance(x, y))
    assert frechet_distance(np.ones((5, 3)), np.ones((4, 3))) == 0.0
    assert frechet_distance(np.ones((5, 3)), np.ones((4, 3)) + 2) == pytest.approx(12.0)


def _distances() -> str:
    """Distances of sets that libraries divide among threads, with all digits."""
    x, y = (np.random.default_rng(seed).normal(seed, 1, (600, 400)) for seed in (0, 1))
    few, groups = slice(0, 256), np.arange(256) // 100
    values = [frechet_distance(x, y), frechet_distance(x[few], y[few]), unbiased_mmd(x, y)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frechet, "_LARGE", 100)
        values += [frechet_distance(x, y), frechet_distance(x[few], y[few])]
    sides = [[part.astype(np.float32) for part in np.split(side[few], 256)] for side in (x, y)]
    for metric in (FVD(), KVD()):
        values += list(metric.without_each(sides[0], sides[1], groups))
    return " ".join(map(repr, map(float, values)))


@pytest.mark.process
def test_no_bit_of_a_distance_depends_on_the_number_of_threads() -> None:
    # A process of its own, because NumPy's library takes the number of its threads when it is loaded.
    script = "from tests.metrics.test_frechet import _distances; print(_distances())"
    command, env = [sys.executable, "-c", script], {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            assert _distances().split() == done.stdout.split()
    finally:
        torch.set_num_threads(before)
    assert len(done.stdout.split()) == 11


def test_a_negative_distance_past_rounding_is_warned_of_and_reported_as_zero() -> None:
    with pytest.warns(RuntimeWarning, match="further below 0 than rounding explains"):
        assert frechet._clip(-1e-3, 1.0) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frechet._clip(-1e-9, 1.0) == 0.0
        assert frechet._clip(3.0, 1.0) == 3.0


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), "at least two"),
        (np.ones((4, 3)), np.ones((4, 2)), "dimension: 3 and 2"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), "finite"),
        (np.ones(4), np.ones((4, 2)), r"\[N, D\]"),
    ],
)
def test_features_without_a_distance_are_refused(x: np.ndarray, y: np.ndarray, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        frechet_distance(x, y)
