"""What holds for every registered model, ours and anybody's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.data.clips import build_manifest
from bench.data.predictions import Predictions
from bench.engine.build import build, native_resolution, result_rows
from bench.engine.generate import generate
from bench.engine.layers import estimating_statistics
from bench.errors import BenchError
from bench.registry import MODELS
from tests.small import Tint

SMALL = {"mdgan": {"width": 2}, "vgan": {"width": 4}, "rnngan": {"width": 4}}
NAMES = ["mdgan", "vgan", "rnngan", "copy", "tint"]


def test_every_registered_model_is_tested_here(tint: str) -> None:
    assert set(MODELS) == set(NAMES)


def small(name: str) -> torch.nn.Module:
    """A narrow model whose statistics are not the initial ones."""
    model = build(name, SMALL.get(name, {}), 64, seed=3)
    for layer in model.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_is_predicted_alone_as_in_any_batch(name: str, tint: str) -> None:
    model = small(name)
    first = torch.rand(5, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        for row in result_rows(name):
            together = model.predict(first, row)
            assert together.shape == (5, 3, 32, 64, 64)
            assert together.abs().max() <= 1
            alone = torch.cat([model.predict(first[n : n + 1], row) for n in range(5)])
            # The same sums in another order: float32 rounding and nothing else.
            torch.testing.assert_close(alone, together, rtol=0, atol=2e-5)
            assert torch.equal(model.predict(first, row), together)


@pytest.mark.parametrize("name", NAMES)
def test_frames_after_the_first_change_no_prediction(name: str, tint: str, sky: Path, tmp_path: Path) -> None:
    root = tmp_path / "noisy"
    shutil.copytree(sky, root)
    rng = np.random.default_rng(0)
    for frame in root.rglob("*.jpg"):
        if frame.name != "frame_1.jpg":
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(frame)
    model = small(name)
    for place, data in (("plain", sky), ("noise", root)):
        manifest = build_manifest("sky", data, ("test",))
        folders = {row: tmp_path / place / row for row in result_rows(name)}
        generate(model, folders, manifest.clips, data, {"model": name})  # type: ignore[arg-type]
    for row in result_rows(name):
        plain, noise = Predictions(tmp_path / "plain" / row), Predictions(tmp_path / "noise" / row)
        assert plain.ids == noise.ids
        for id in plain.ids:
            assert plain.path(id).read_bytes() == noise.path(id).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_weights(name: str, tint: str) -> None:
    one, same, other = (build(name, SMALL.get(name, {}), 64, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    floats = [key for key in one if key.endswith("weight")]
    assert not floats or any(not torch.equal(one[key], other[key]) for key in floats)


def test_a_model_takes_its_largest_size_that_fits() -> None:
    assert native_resolution("mdgan", 128) == 128
    assert native_resolution("mdgan", 100) == 64
    assert native_resolution("vgan", 128) == 64
    assert native_resolution("copy", 37) == 37
    with pytest.raises(BenchError, match="exists for 64×64"):
        native_resolution("vgan", 32)


def test_an_unknown_option_gets_the_nearest_name() -> None:
    with pytest.raises(BenchError, match=r"has no option 'widht'\. Did you mean 'width'"):
        build("mdgan", {"widht": 4}, 64)


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
