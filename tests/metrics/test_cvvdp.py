from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.metrics.cvvdp import ColorVideoVDP
from tests.support.small import moving_clip

pytestmark = [pytest.mark.heavy, pytest.mark.process]  # its package asks the system what it is
CLIPS = (moving_clip(1, 6, 64), moving_clip(2, 6, 64))


def of(prediction: np.ndarray, real: np.ndarray) -> float:
    metric = ColorVideoVDP()
    return metric.clip(metric.compute(prediction, real))


def test_cvvdp_is_the_packages() -> None:
    pycvvdp = pytest.importorskip("pycvvdp")
    package = pycvvdp.cvvdp(display_name="standard_fhd", device=torch.device("cpu"), quiet=True)
    columns = ColorVideoVDP().compute(*CLIPS)
    for start in (0, 1):
        jod, _ = package.predict(*(clip[start:] for clip in CLIPS), dim_order="FHWC", frames_per_second=10.0)
        assert columns["cvvdp"][start] == pytest.approx(float(jod), abs=1e-4)
    assert np.isnan(columns["cvvdp"][2:]).all()
    assert ColorVideoVDP.curve(columns) is None  # it is a number of whole clips
    assert ColorVideoVDP().clip(columns) == columns["cvvdp"][0]
    assert of(CLIPS[0], CLIPS[0]) == pytest.approx(10, abs=1e-3)


def test_display_and_frame_rate_are_part_of_the_protocol() -> None:
    pytest.importorskip("pycvvdp")
    names = {
        ColorVideoVDP(display, rate).weights_id() for display in ("standard_fhd", "standard_4k") for rate in (10, 30)
    }
    assert len({name.rpartition("sha256:")[2][:8] for name in names}) == 4
    assert ColorVideoVDP().weights_id().startswith("cvvdp 0.")
    assert "standard_fhd 10 frames a second sha256:" in ColorVideoVDP().weights_id()
