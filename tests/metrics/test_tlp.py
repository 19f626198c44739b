from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.metrics.lpips import lpips_network
from bench.metrics.tlp import TLP
from tests.support.small import moving_clip

pytestmark = pytest.mark.heavy
CLIPS = (moving_clip(1, 6, 64), moving_clip(2, 6, 64))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of LPIPS's trunk: what is tested holds for any."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


def test_tlp_is_what_tecogans_script_prints_without_its_crop(weights: Path) -> None:
    network = lpips_network(torch.load(weights, weights_only=True))
    found = []
    for t in range(1, 6):
        pairs = [
            [
                torch.from_numpy(frame[None].astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
                for frame in clip[t - 1 : t + 1]
            ]
            for clip in CLIPS
        ]
        predicted, real = (float(network(*pair)) for pair in pairs)
        found.append(abs(real - predicted) * 100.0)
    columns = TLP(weights).compute(*CLIPS)
    np.testing.assert_allclose(columns["tlp"][1:], found, atol=1e-5)
    assert TLP(weights).clip(columns) == pytest.approx(np.mean(found), abs=1e-5)
    assert TLP(weights).clip(TLP(weights).compute(CLIPS[0], CLIPS[0])) == 0
