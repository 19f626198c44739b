from __future__ import annotations

import pytest
import torch

from bench.engine.model_factory import departures, native_resolution
from bench.engine.network_transforms import estimating_statistics
from bench.errors import BenchError
from tests.support.small import Tint


def test_a_model_takes_its_largest_size_that_fits() -> None:
    assert native_resolution("mdgan", 128) == 128
    assert native_resolution("mdgan", 100) == 64
    assert native_resolution("vgan", 128) == 64
    assert native_resolution("copy", 37) == 37
    with pytest.raises(BenchError, match="supports 64×64"):
        native_resolution("vgan", 32)


def test_departures_from_a_paper_are_named_by_option() -> None:
    assert departures("mdgan", {"width": 32}) == {}
    assert departures("mdgan", {"width": 32, "ranking_norm": "sum", "skips": True}) == {}  # said, and no other
    found = departures("mdgan", {"width": 8, "content_weight": 1000.0, "discriminator_rate": 5e-5, "skips": False})
    assert found == {
        "width": "8 (32)",
        "content_weight": "1000 (1)",
        "discriminator_rate": "5e-05 (not set)",
        "skips": "false (true)",
    }
    assert departures("copy", {}) == {}


def test_statistics_are_those_of_the_batches_that_were_seen() -> None:
    model = Tint(64, 32)
    norm = model.network[1]
    batches = [torch.randn(2, 3, 4, 8, 8) * scale + scale for scale in (1.0, 3.0)]
    with torch.no_grad(), estimating_statistics(model):
        for batch in batches:
            model.train().network[1](batch)
    means = torch.stack([batch.mean(dim=(0, 2, 3, 4)) for batch in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, means)
    assert norm.momentum == 0.1
