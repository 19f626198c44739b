"""MSE, PSNR and motion beside plain NumPy loops and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from bench.metrics.base import ClipMetric
from bench.metrics.motion import Motion, frame_change
from bench.metrics.mse import MSE, frame_mse
from bench.metrics.psnr import CAP, PSNR, PSNRFrame


def _clips(seed: int, frames: int = 4, height: int = 9, width: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (2, frames, height, width, 3)
    first, second = rng.integers(0, 256, shape, dtype=np.uint8)
    return first, second


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))
def test_mse_is_numpys(seed: int, frames: int, height: int, width: int) -> None:
    x, y = _clips(seed, frames, height, width)
    expected = [np.mean((x[t] / 255 - y[t] / 255) ** 2) for t in range(frames)]
    np.testing.assert_allclose(frame_mse(x, y), expected, rtol=1e-12)
    np.testing.assert_array_equal(frame_mse(x, y), frame_mse(y, x))
    np.testing.assert_array_equal(frame_mse(x[:1], y[:1]), frame_mse(x, y)[:1])


def test_mse_of_black_and_white_is_one_and_of_a_step_what_it_is() -> None:
    black = np.zeros((1, 300, 300, 3), np.uint8)
    assert frame_mse(black, black + 255)[0] == 1.0
    assert frame_mse(black, black)[0] == 0.0
    assert frame_mse(black + 10, black + 13)[0] == pytest.approx((3 / 255) ** 2)


def test_psnr_is_that_of_the_clips_mse_and_psnr_frame_the_mean_of_frames() -> None:
    prediction, real = _clips(0)
    prediction[1] = real[1] // 2 + 60  # frames of very different error, so that the two conventions differ
    mse = np.mean((prediction / 255 - real / 255) ** 2)
    assert PSNR().clip(PSNR().compute(prediction, real)) == pytest.approx(-10 * np.log10(mse), abs=1e-9)
    frames = [peak_signal_noise_ratio(real[t] / 255, prediction[t] / 255, data_range=1) for t in range(4)]
    values = PSNRFrame().compute(prediction, real)
    np.testing.assert_allclose(values["psnr_frame"], frames, atol=1e-6)
    assert PSNRFrame().clip(values) == pytest.approx(np.mean(frames), abs=1e-6)
    assert abs(PSNR().clip(PSNR().compute(prediction, real)) - np.mean(frames)) > 0.01


def test_identical_clips_have_no_finite_psnr_and_identical_frames_count_as_the_cap() -> None:
    prediction, real = _clips(1)
    assert PSNR().clip(PSNR().compute(real, real)) == np.inf
    assert PSNRFrame().clip(PSNRFrame().compute(real, real)) == CAP
    before = PSNRFrame().clip(PSNRFrame().compute(prediction, real))
    prediction[0] = real[0]
    columns = PSNRFrame().compute(prediction, real)
    assert columns["psnr_frame"][0] == np.inf
    assert PSNRFrame().clip(columns) == pytest.approx(np.mean([CAP, *columns["psnr_frame"][1:]]))
    assert PSNRFrame().clip(columns) > before
    assert np.isfinite(PSNR().clip(PSNR().compute(prediction, real)))


def test_motion_is_the_change_of_the_prediction_over_that_of_the_real_clip() -> None:
    prediction, real = _clips(2, frames=5)
    metric = Motion()
    columns = metric.compute(prediction, real)
    predicted_change, real_change = (
        np.mean([np.mean(np.abs(np.diff(clip / 255, axis=0)[t])) for t in range(4)]) for clip in (prediction, real)
    )
    assert np.isnan(columns["motion_prediction"][0])
    assert metric.clip(columns) == pytest.approx(predicted_change / real_change, rel=1e-12)
    future = {name: values[1:] for name, values in columns.items()}  # the first frame is given, not predicted
    assert metric.clip(future) == pytest.approx(
        np.abs(np.diff(prediction[1:] / 255, axis=0)).sum() / np.abs(np.diff(real[1:] / 255, axis=0)).sum(), rel=1e-12
    )


def test_motion_knows_prediction_from_real() -> None:
    _, real = _clips(3)
    half = real // 2
    assert Motion().clip(Motion().compute(half, real)) == pytest.approx(0.5, abs=0.02)
    assert Motion().clip(Motion().compute(real, half)) == pytest.approx(2.0, abs=0.1)


def test_a_still_has_no_motion_and_a_real_still_no_value() -> None:
    _, real = _clips(4)
    still = np.repeat(real[:1], len(real), 0)
    assert Motion().clip(Motion().compute(still, real)) == 0.0
    assert Motion().clip(Motion().compute(real, real)) == 1.0
    assert np.isnan(Motion().clip(Motion().compute(real, still)))


def test_change_of_one_frame_is_missing() -> None:
    assert np.isnan(frame_change(np.zeros((1, 4, 4, 3), np.uint8))).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_more_noise_is_a_larger_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real = rng.integers(80, 176, (2, 16, 16, 3), dtype=np.uint8)
    noise = rng.normal(0, 1, real.shape)
    errors = [frame_mse((real + amount * noise).clip(0, 255).astype(np.uint8), real).mean() for amount in (2, 8, 30)]
    assert errors == sorted(errors)


@pytest.mark.parametrize("metric", [MSE(), PSNR(), PSNRFrame(), Motion()])
def test_the_contract_of_a_clip_metric(metric: ClipMetric) -> None:
    prediction, real = _clips(5)
    columns = metric.compute(prediction, real)
    assert tuple(columns) == metric.columns
    for values in columns.values():
        assert values.dtype == np.float64
        assert values.shape == (len(real),)
    again = metric.compute(prediction.copy(), real.copy())
    for name in metric.columns:
        np.testing.assert_array_equal(columns[name], again[name])
    assert metric.unavailable() is None
