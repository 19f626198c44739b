"""Check values with the published weights; the whole ones take minutes: `bench weights verify --numbers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.errors import BenchError
from bench.metrics import check_values
from bench.metrics.fvd import FVD
from bench.metrics.networks.i3d import EPSILON, PORTED_EPSILON

pytestmark = pytest.mark.heavy


@pytest.fixture
def at_hand(published: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The published weights, where the tests' own folder has none."""
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(published("fvd").parent))
    published("lpips")


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(("epsilon", "value"), [(EPSILON, 80.39332), (PORTED_EPSILON, 80.57899)])
def test_the_first_clips_of_the_check_value_give_what_they_gave_when_the_whole_was_right(
    epsilon: float, value: float
) -> None:
    assert check_values.fvd_check(epsilon, clips=4) == pytest.approx(value, abs=1e-3)


@pytest.mark.usefixtures("at_hand")
def test_lpips_of_random_frames_is_the_packages() -> None:
    checks = check_values.verify_numbers()
    first = next(checks)
    assert first.agrees, first
    assert first.published == 0.12043


def test_the_check_values_need_the_published_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(BenchError, match="need the published weights"):
        next(check_values.verify_numbers())
    assert check_values.NumberCheck("fvd", 10.13812, check_values.FVD_CHECK_VALUE).agrees
    assert not check_values.NumberCheck("fvd", 10.1664, check_values.FVD_CHECK_VALUE).agrees


def test_all_three_are_computed_and_each_by_its_own_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_values, "lpips_check", lambda: 0.12043)
    monkeypatch.setattr(check_values, "fvd_check", lambda epsilon: {1e-3: 10.13809, 1e-5: 10.16643}[epsilon])
    found = list(check_values.verify_numbers())
    assert [check.agrees for check in found] == [True, True, True]
    assert [check.what.split()[0] for check in found] == ["LPIPS", "fvd", "fvd_videogpt"]


#: FVD of 8 clips of ones against 8 of zeros by their number of frames, as the README of common_metrics_on_video_quality
#: prints it (on a GPU), and as TensorFlow's own code gives it for 30 frames.
COMMON_METRICS, TENSORFLOW = {10: 569.2296, 15: 133.7031, 30: 151.2565}, 151.39


@pytest.mark.usefixtures("at_hand")
def test_ones_against_zeros_have_the_fvd_that_others_publish() -> None:
    metric = FVD(device="cpu")
    found = {}
    for frames in COMMON_METRICS:
        sides = [metric.features([np.full((frames, 64, 64, 3), value, np.uint8)]) * 8 for value in (0, 255)]
        found[frames] = metric.distance(*sides)
    assert found[30] == pytest.approx(TENSORFLOW, abs=0.005)
    assert found == pytest.approx(COMMON_METRICS, rel=2e-3)  # convolutions in TF32 move it by up to 1.7e-3 (docs)


@pytest.mark.usefixtures("at_hand")
def test_ones_against_zeros_have_the_ssim_and_lpips_that_others_publish() -> None:
    zeros = np.zeros((2, 2, 3, 64, 64), np.float32)  # theirs are 8 × 30 frames, all equal
    table = bench.evaluate(zeros, zeros + 1, ["ssim", "lpips"], value_range=(0, 1), offline=True).set_index("metric")
    assert table.loc["ssim", "value"] == pytest.approx(9.999e-05, abs=5e-9)
    assert table.loc["lpips", "value"] == pytest.approx(0.8140, abs=5e-5)
