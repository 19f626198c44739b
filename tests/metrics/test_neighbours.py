from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import neighbours
from bench.metrics.base import UnfitError
from bench.metrics.neighbours import K, Measure, coverage, density, distances, precision, recall

MEASURES = {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
each = pytest.mark.parametrize("name", MEASURES)


def plain(predicted: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """The definitions, an item after another."""

    def reach(items: np.ndarray, i: int) -> float:
        return sorted(float(np.linalg.norm(items[i] - other)) for j, other in enumerate(items) if j != i)[K - 1]

    of_real = [reach(real, i) for i in range(len(real))]
    of_predicted = [reach(predicted, j) for j in range(len(predicted))]
    apart = [[float(np.linalg.norm(p - r)) for r in real] for p in predicted]
    in_real = [[d < of_real[i] for i, d in enumerate(line)] for line in apart]
    in_predicted = [[d < of_predicted[j] for d in line] for j, line in enumerate(apart)]
    return {
        "precision": float(np.mean([any(line) for line in in_real])),
        "recall": float(np.mean([any(line[i] for line in in_predicted) for i in range(len(real))])),
        "density": sum(map(sum, in_real)) / (K * len(predicted)),
        "coverage": float(np.mean([any(line[i] for line in in_real) for i in range(len(real))])),
    }


def sets(predicted: int, real: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(1.2, 0.9, (predicted, 4)), rng.normal(size=(real, 4))


@pytest.mark.parametrize("sizes", [(20, 20), (13, 30), (31, 9)])
def test_they_are_their_definitions(sizes: tuple[int, int]) -> None:
    predicted, real = sets(*sizes)
    found = {name: measure(predicted, real) for name, measure in MEASURES.items()}
    assert found == pytest.approx(plain(predicted, real), abs=1e-12)
    assert len(set(found.values())) > 2
    assert found["recall"] == precision(real, predicted)  # the two sets exchanged


@pytest.mark.parametrize("sizes", [(40, 40), (60, 25)])
def test_they_agree_with_the_package_of_the_authors(sizes: tuple[int, int]) -> None:
    prdc = pytest.importorskip("prdc")
    predicted, real = sets(*sizes, seed=3)
    expected = prdc.compute_prdc(real_features=real, fake_features=predicted, nearest_k=K)
    assert {name: measure(predicted, real) for name, measure in MEASURES.items()} == pytest.approx(expected, abs=1e-12)


@each
@pytest.mark.parametrize("groups", [range(16), [0, 0, 0, 1, 2, 2, 3, 3, 4, 4, 4, 4, 5, 6, 6, 6]])
def test_leaving_out_each_video_is_computing_without_it(name: str, groups: list[int]) -> None:
    measure, of, (predicted, real) = MEASURES[name], np.array(groups), sets(16, 16)
    expected = [measure(predicted[of != group], real[of != group]) for group in range(max(groups) + 1)]
    np.testing.assert_allclose(measure.without_each(predicted, real, of), expected, rtol=1e-12)
    assert len(set(expected)) > 1


@each
def test_rows_that_are_worked_through_at_a_time_and_order_change_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted, real = sets(20, 17)
    whole = MEASURES[name](predicted, real)
    monkeypatch.setattr(neighbours, "_ROWS", 3)
    assert MEASURES[name](predicted, real) == whole
    assert MEASURES[name](predicted[::-1], real[::-1]) == whole


def test_what_is_not_varied_is_precise_and_covers_little() -> None:
    _, real = sets(0, 40)
    central = real[np.argmin(np.linalg.norm(real, axis=1))]
    narrow = central + 0.01 * np.random.default_rng(1).normal(size=real.shape)
    assert precision(narrow, real) == 1.0
    assert recall(narrow, real) < 0.1
    assert coverage(narrow, real) < 0.5
    assert precision(real + 100, real) == recall(real + 100, real) == density(real + 100, real) == 0


def test_distances_of_equal_rows_are_nothing() -> None:
    x = np.random.default_rng(0).normal(1e4, 1, size=(9, 50))
    assert (np.diag(distances(x, x)) == 0).all()


@each
def test_too_few_items_have_no_neighbours(name: str) -> None:
    measure: Measure = MEASURES[name]
    for sizes, found in (((5, 9), 5), ((9, 5), 5)):
        with pytest.raises(UnfitError, match=rf"more than 5 items on both sides, but there are {found}"):
            measure(*sets(*sizes))
    with pytest.raises(UnfitError, match="here are 5"):
        measure.without_each(*sets(8, 8), np.array([0, 0, 0, 1, 2, 3, 4, 5]))
