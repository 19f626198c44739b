from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.flickering import Flickering
from tests.support.small import moving_clip

CLIPS = (moving_clip(1, 6, 64), moving_clip(2, 6, 64))


def of(prediction: np.ndarray, real: np.ndarray) -> float:
    metric = Flickering()
    return metric.clip(metric.compute(prediction, real))


def test_flickering_is_vbenchs() -> None:
    # temporal_flickering.py of Vchitect/VBench: mean |difference| of successive frames, (255 − mean) / 255.
    steps = [
        np.mean(np.abs(b.astype(np.float32) - a.astype(np.float32)))
        for a, b in zip(CLIPS[0], CLIPS[0][1:], strict=False)
    ]
    assert of(*CLIPS) == pytest.approx((255.0 - np.mean(steps)) / 255.0, abs=1e-6)
    assert of(np.repeat(CLIPS[0][:1], 6, axis=0), CLIPS[1]) == 1
    assert of(CLIPS[0], CLIPS[1]) == of(CLIPS[0], CLIPS[0])
