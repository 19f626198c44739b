from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.speed import interleaved_timing
from bench.speed.interleaved_timing import pair_of_clips, timed_row, weights_at_hand
from bench.speed.metrics import COMPARISONS, measure
from bench.speed.other_packages import PEERS

pytestmark = pytest.mark.heavy

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


def test_the_network_of_fvd_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    short = pair_of_clips(9, 32)
    monkeypatch.setattr("bench.speed.metrics.pair_of_clips", lambda frames, size, seed=0: short)
    (row,) = measure(("fvd",), repetitions=1)
    assert row["max_abs_difference"] <= 1e-4


def test_the_order_of_the_first_rows_is_that_of_the_promised_ratios() -> None:
    assert list(COMPARISONS)[:2] == ["ssim", "fvd"]


def test_a_ratio_above_one_is_ours_being_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0  # on a clock that only work moves

    def working(seconds: float, result: float) -> Callable[[], np.ndarray]:
        def work() -> np.ndarray:
            nonlocal now
            now += seconds
            return np.array([result])

        return work

    monkeypatch.setattr(interleaved_timing, "time", SimpleNamespace(perf_counter=lambda: now))
    row = timed_row("x", "calls/s", 1, working(1, 1.5), working(8, 1.0), 3)
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


#: How far other people's packages may be from ours where they are asked for our definition.
PEER_AGREEMENT = {"ssim/torchmetrics": 1e-4, "ssim/piq": 1e-4, "psnr/torchmetrics": 1e-4}


@pytest.mark.parametrize("what", PEER_AGREEMENT)
def test_peers_that_are_installed_agree(what: str) -> None:
    rows = measure((what,), repetitions=1)
    installed = importlib.util.find_spec(what.partition("/")[2]) is not None
    assert [row["what"] for row in rows] == ([what] if installed else [])
    assert all(row["max_abs_difference"] <= PEER_AGREEMENT[what] for row in rows)


def test_every_peer_is_measured_beside_a_metric_of_ours() -> None:
    from bench.registry import METRICS

    assert all(METRICS.check(name.partition("/")[0]) for name in PEERS)


def test_networks_have_the_published_weights_where_they_are_at_hand(
    published: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    assert weights_at_hand("lpips") is None
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(published("lpips").parent))
    found = weights_at_hand("lpips")
    assert found is not None
    assert len(found) == 10
