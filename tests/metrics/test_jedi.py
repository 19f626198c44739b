from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import jedi
from bench.metrics.base import UnfitError
from bench.metrics.jedi import jedi_mmd, jedi_without_each


def test_the_authors_own_example() -> None:
    # The arrays at the end of mmd_polynomial.py of videojedi, and what it gives for them.
    a = np.arange(1, 10).reshape(3, 3)
    b = np.array([[7, 6, 5], [4, 3, 2], [1, 1, 8], [0, 2, 5]])
    assert jedi_mmd(a, b) == pytest.approx(270.7222, abs=5e-5)


@pytest.mark.parametrize(("n", "m"), [(4, 4), (7, 5)])
def test_it_is_a_mean_over_all_pairs(n: int, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 6)), rng.normal(0.4, 1, size=(m, 6))

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([(np.dot(p, q) / 6) ** 2 for p in a for q in b]))

    assert jedi_mmd(x, y) == pytest.approx(mean(x, x) + mean(y, y) - 2 * mean(x, y), rel=1e-12)
    assert jedi_mmd(x, x) == pytest.approx(0, abs=1e-12)
    whole = jedi_mmd(x, y)
    monkeypatch.setattr(jedi, "_ROWS", 3)
    assert jedi_mmd(x, y) == pytest.approx(whole, rel=1e-12)


def test_leaving_out_each_video_is_computing_without_it() -> None:
    rng = np.random.default_rng(1)
    x, y, of = rng.normal(size=(7, 9)), rng.normal(0.2, 1, size=(7, 9)), np.array([0, 0, 1, 2, 2, 2, 3])
    expected = [jedi_mmd(x[of != group], y[of != group]) for group in range(4)]
    np.testing.assert_allclose(jedi_without_each(x, y, of), expected, rtol=1e-9)


def test_its_bias_falls_with_the_number_of_clips() -> None:
    rng = np.random.default_rng(2)
    means = [np.mean([jedi_mmd(*rng.normal(size=(2, n, 5))) for _ in range(100)]) for n in (10, 40, 160)]
    assert means[0] > 3 * means[1] > 9 * means[2] > 0


def test_nothing_has_no_distance() -> None:
    x = np.ones((3, 4))
    with pytest.raises(UnfitError, match="here are 0 and 3"):
        jedi_mmd(x[:0], x)
    with pytest.raises(UnfitError, match="none remain"):
        jedi_without_each(x, x, np.zeros(3, np.intp))
