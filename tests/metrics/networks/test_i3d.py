from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.metrics.networks.i3d import I3D, PORTED_EPSILON, load_i3d, max_pool_same, same_padding
from bench.metrics.networks.i3d_features import preprocess
from bench.metrics.networks.i3d_folded import FastI3D, _pool
from bench.metrics.networks.weights_catalog import load_tensors

pytestmark = pytest.mark.heavy

CPU = torch.device("cpu")


def test_tensor_names_and_shapes_are_those_of_the_published_file(reference: Path) -> None:
    layout = {name: tuple(shape) for name, shape in json.loads((reference / "i3d_kinetics400.json").read_text())}
    network = I3D()
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == layout
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_697_264


def test_a_missing_tensor_is_refused(i3d_tensors: dict[str, torch.Tensor]) -> None:
    few = {name: tensor for name, tensor in i3d_tensors.items() if name != "logits.conv3d.bias"}
    with pytest.raises(BenchError, match=r"logits\.conv3d\.bias"):
        load_i3d(few)


@pytest.mark.parametrize(("key", "arguments"), [("logits_16", (16, 3, 16, 64, 64)), ("logits_32", (17, 1, 32, 64, 64))])
def test_both_networks_give_the_ported_logits(
    key: str, arguments: tuple[int, ...], i3d: I3D, recipe: ModuleType, reference: Path
) -> None:
    expected = np.load(reference / "i3d_logits.npz")[key]
    videos = recipe.videos(*arguments)
    with torch.inference_mode():
        plain = np.concatenate([i3d(preprocess(video, CPU)).numpy() for video in videos])
    fast = FastI3D(i3d)
    quick = np.concatenate([fast(preprocess(video, CPU)).numpy() for video in videos])
    np.testing.assert_allclose(plain, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(quick, expected, rtol=0, atol=1e-3)
    assert np.abs(expected).max() > 1  # so that the tolerance means something


@pytest.mark.parametrize(
    ("key", "arguments"), [("logits_16", (2026, 4, 16, 64, 64)), ("logits_32", (2027, 2, 32, 64, 64))]
)
def test_the_published_tensors_give_the_originals_logits(
    key: str,
    arguments: tuple[int, ...],
    published: Callable[[str], Path],
    recipe: ModuleType,
    reference: Path,
) -> None:
    network = load_i3d(load_tensors(published("fvd")))
    expected = np.load(reference / "i3d_original_logits.npz")[key]
    inputs = [preprocess(video, CPU) for video in recipe.videos(*arguments)]
    fast = FastI3D(network)
    quick = np.concatenate([fast(x).numpy() for x in inputs])
    np.testing.assert_allclose(quick, expected, rtol=0, atol=1e-4)
    if key == "logits_32":
        return  # once is enough for what follows
    with torch.inference_mode():
        np.testing.assert_allclose(network(inputs[0]).numpy(), expected[:1], rtol=0, atol=1e-4)
    # Another epsilon would show: the port's differs far more than any rounding.
    ported = FastI3D(load_i3d(load_tensors(published("fvd")), PORTED_EPSILON))(inputs[0]).numpy()
    assert np.abs(ported - expected[:1]).max() > 1e-2


@pytest.mark.parametrize("frames", [9, 13])
def test_the_fast_network_pads_odd_lengths_as_the_plain_one(frames: int, i3d: I3D, recipe: ModuleType) -> None:
    x = preprocess(recipe.videos(1, 1, frames, 32, 32)[0], CPU)
    with torch.inference_mode():
        np.testing.assert_allclose(FastI3D(i3d)(x).numpy(), i3d(x).numpy(), rtol=0, atol=1e-3)


@given(st.integers(1, 300), st.integers(1, 7), st.integers(1, 3))
def test_same_padding_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    before, behind = same_padding(size, kernel, stride)
    outputs = -(-size // stride)
    assert before + behind == max((outputs - 1) * stride + kernel - size, 0)
    assert behind - before in (0, 1)


@pytest.mark.parametrize("size", [(4, 7, 8), (5, 9, 9), (3, 8, 6)])
@pytest.mark.parametrize(
    ("kernel", "stride"),
    [((3, 3, 3), (2, 2, 2)), ((1, 3, 3), (1, 2, 2)), ((2, 2, 2), (2, 2, 2)), ((3, 3, 3), (1, 1, 1))],
)
def test_pooling_with_channels_last_is_pooling(
    size: tuple[int, int, int], kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> None:
    x = torch.rand(2, 5, *size)
    expected = max_pool_same(x, kernel, stride)
    found = _pool(x.permute(0, 2, 3, 4, 1).contiguous(), kernel, stride).permute(0, 4, 1, 2, 3)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_preprocessing_is_plain_bilinear_between_minus_one_and_one() -> None:
    clip = np.zeros((9, 2, 2, 3), np.uint8)
    clip[:, :, 1] = 255
    x = preprocess(clip, CPU)
    assert x.shape == (1, 3, 9, 224, 224)
    row = x[0, 0, 0, 0].numpy()
    assert row[0] == -1.0
    assert row[-1] == 1.0
    position = (np.arange(224) + 0.5) * 2 / 224 - 0.5
    np.testing.assert_allclose(row, np.clip(position, 0, 1) * 2 - 1, atol=1e-6)


def test_preprocessing_does_not_smooth_what_it_shrinks() -> None:
    clip = np.zeros((9, 448, 448, 3), np.uint8)
    clip[:, ::4] = 255  # of four rows, the mean of two neighbours is taken
    values = set(np.unique(preprocess(clip, CPU).numpy()).tolist())
    assert values == {-1.0, 0.0}
