from __future__ import annotations

import math

import numpy as np
import pytest

from bench.metrics.cvvdp import ColorVideoVDP
from bench.metrics.tof import TOF, flows
from tests.support.small import moving_clip

CLIPS = (moving_clip(1, 6, 64), moving_clip(2, 6, 64))


def of(prediction: np.ndarray, real: np.ndarray) -> float:
    metric = TOF()
    return metric.clip(metric.compute(prediction, real))


def test_tof_is_what_tecogans_script_prints_without_its_crop() -> None:
    # Frame by frame as in metrics.py of thunil/TecoGAN, from RGB frames, with the crop to multiples of 32 left out.
    cv2 = pytest.importorskip("cv2")
    found, last = [], None
    for predicted, real in zip(*CLIPS, strict=True):
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (real, predicted)]
        if last is not None:
            options = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2}
            target, output = (
                cv2.calcOpticalFlowFarneback(before, now, None, flags=0, **options)
                for before, now in zip(last, grey, strict=True)
            )
            apart = np.absolute(target - output)
            found.append(np.sqrt(np.sum(apart * apart, axis=-1)).mean())
        last = grey
    columns = TOF().compute(*CLIPS)
    np.testing.assert_allclose(columns["tof"][1:], found, atol=1e-4)
    assert math.isnan(columns["tof"][0])
    assert TOF().clip(columns) == pytest.approx(np.mean(found), abs=1e-4)


def test_the_flow_of_a_picture_that_moves_by_a_pixel_is_a_pixel() -> None:
    flow = flows(moving_clip(3, 4, 64))
    assert np.median([field[16:-16, 16:-16, 0] for field in flow]) == pytest.approx(-1, abs=0.1)
    still = np.repeat(moving_clip(3, 1, 64), 4, axis=0)
    assert of(still, moving_clip(3, 4, 64)) == pytest.approx(1, abs=0.25)  # what the prediction lacks


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, metric in (("tof", TOF()), ("cvvdp", ColorVideoVDP())):
        monkeypatch.setattr(f"bench.metrics.{module}.package_version", lambda name: None)
        reason = metric.unavailable()
        assert reason is not None
        assert "is not installed" in str(reason)
        assert "pip install 'timelapse-bench[time]'" in str(reason)
        assert metric.obtain() == reason
