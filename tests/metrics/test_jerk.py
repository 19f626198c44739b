from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.data.clips import build_manifest
from bench.metrics.jerk import Jerk, change_of_change, jerk
from bench.metrics.motion import frame_change
from tests.support.small import moving_clip

CLIPS = (moving_clip(1, 6, 64), moving_clip(2, 6, 64))


def of(prediction: np.ndarray, real: np.ndarray) -> float:
    metric = Jerk()
    return metric.clip(metric.compute(prediction, real))


def test_jerk_is_its_definition() -> None:
    real, predicted = (clip.astype(float) / 255 for clip in CLIPS[::-1])

    def plain(clip: np.ndarray) -> float:
        return float(np.abs(np.diff(clip, 2, axis=0)).mean() / np.abs(np.diff(clip, 1, axis=0)).mean())

    assert of(*CLIPS) == pytest.approx(plain(predicted) / plain(real), rel=1e-12)
    columns = Jerk().compute(*CLIPS)
    future = {name: column[1:] for name, column in columns.items()}
    assert Jerk().clip(future) == pytest.approx(plain(predicted[1:]) / plain(real[1:]), rel=1e-12)


def test_jerk_of_what_changes_steadily_goes_to_and_fro_or_is_noise() -> None:
    def of_clip(clip: np.ndarray) -> float:
        return jerk(change_of_change(clip), frame_change(clip))

    t, shape = np.arange(12)[:, None, None, None], (12, 40, 40, 3)
    assert of_clip((10 * t + np.zeros(shape)).astype(np.uint8)) == 0
    assert of_clip((100 * (t % 2) + np.zeros(shape)).astype(np.uint8)) == 2
    noise = np.random.default_rng(0).normal(128, 30, shape).clip(0, 255).astype(np.uint8)
    assert of_clip(noise) == pytest.approx(math.sqrt(3), abs=0.02)


def test_a_still_has_no_jerk_and_is_never_best() -> None:
    still = np.repeat(CLIPS[0][:1], 6, axis=0)
    assert of(still, CLIPS[1]) == 0
    assert math.isnan(of(CLIPS[0], still))
    assert Jerk.judged(np.array([0.0, 0.5, 2.0, 1.0])).tolist() == [math.inf, math.log(2), math.log(2), 0]


def test_jerk_of_the_real_clips_of_sky(real_data: Path) -> None:
    manifest = build_manifest("sky", real_data / "sky_timelapse", ("test",))
    clips = [clip.read(manifest.root, resolution=64) for clip in manifest.split("test")]
    found = [jerk(change_of_change(clip), frame_change(clip)) for clip in clips]
    assert np.mean(found) == pytest.approx(1.34, abs=0.005)
