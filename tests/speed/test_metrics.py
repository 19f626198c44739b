from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from bench.metrics.networks.i3d import MIN_FRAMES
from bench.speed import metrics as speed
from bench.speed.metrics import COMPARISONS, measure

#: How far ours may be from the package beside it.
AGREEMENT = {"ssim": 5e-6, "mse": 1e-12, "psnr": 1e-6, "lpips": 1e-5, "frechet": 1e-3}


@pytest.mark.parametrize("what", AGREEMENT)
def test_every_row_has_both_sides_and_they_agree(what: str) -> None:
    pytest.importorskip("lpips" if what == "lpips" else "numpy", reason="the package lpips is not installed")
    (row,) = measure((what,), repetitions=1)
    assert list(row) == ["what", "ours", "other", "unit", "ratio", "max_abs_difference"]
    assert row["what"] == what
    assert isinstance(row["ours"], float)
    assert isinstance(row["other"], float)
    assert row["ratio"] == pytest.approx(row["ours"] / row["other"])
    assert row["max_abs_difference"] <= AGREEMENT[what]


@pytest.mark.slow
def test_the_networks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = speed._pair
    # As few frames as I3D takes; how they agree on whole clips is tested with each network.
    monkeypatch.setattr(speed, "_pair", lambda frames, *size: pair(MIN_FRAMES, *size))
    rows = {row["what"]: row for row in measure(("i3d", "fid"), repetitions=1)}
    assert rows["i3d"]["max_abs_difference"] <= 1e-3
    assert all(row["max_abs_difference"] <= 1e-3 for row in rows.values())


def test_the_order_of_the_first_rows_is_that_of_the_promised_ratios() -> None:
    assert list(COMPARISONS)[:2] == ["ssim", "i3d"]


def test_a_ratio_above_one_is_ours_being_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0  # on a clock that only work moves

    def working(seconds: float, result: float) -> Callable[[], np.ndarray]:
        def work() -> np.ndarray:
            nonlocal now
            now += seconds
            return np.array([result])

        return work

    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: now))
    row = speed._row("x", "calls/s", 1, working(1, 1.5), working(8, 1.0), 3)
    assert row["ratio"] == 8
    assert (row["ours"], row["other"]) == (1, 1 / 8)
    assert row["max_abs_difference"] == 0.5


def test_a_missing_package_leaves_its_row_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: int) -> dict[str, str | float]:
        raise ModuleNotFoundError("No module named 'lpips'", name="lpips")

    def broken(_: int) -> dict[str, str | float]:
        raise ModuleNotFoundError("No module named 'bench.x'", name="bench.x")

    monkeypatch.setattr("bench.speed.metrics.COMPARISONS", {"lpips": (missing, 1), "x": (broken, 1)})
    assert measure(("lpips",)) == []
    with pytest.raises(ModuleNotFoundError):
        measure(("x",))
