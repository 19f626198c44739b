"""The layers that are fast on a CPU, each against float64: every layout, odd sizes, one clip, one channel, over NaN.

`check_layer` runs a layer with and without gradients, where the fast ways differ, on one thread and on two.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bench.adversarial import EndsConv3d, EndsConvTranspose3d, EndsToPixels, ToPixels
from bench.engine import layer_check
from bench.engine.devices import threads
from bench.engine.gradient_check import poison_memory
from bench.engine.layer_check import LayerCall, check_layer, difference
from mdgan.cpu_layers import (
    DeepConv3d,
    DeepConvTranspose3d,
    DeepEndsConv3d,
    DeepEndsConvTranspose3d,
    WholeConv3d,
    WholeConvTranspose3d,
    over_still,
)
from tests.engine.test_network_transforms import folded

pytestmark = pytest.mark.heavy

#: Rounding of float32, relative to the largest value. A tap too many or too few makes more than 1e-2.
ROUNDING = 2e-5

Sizes = tuple[int, ...]


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_check, "thread_counts", lambda: [1, 2])


def strided(kind: type[nn.Module], channels: int) -> nn.Module:
    return kind(channels, 2 * channels + 1, 4, 2, 1, bias=False)


def layers() -> Iterator[tuple[str, nn.Module, Sizes]]:
    """Each layer with a size of its input behind batch and channels; the smallest and an odd one where it has any."""
    for channels in (1, 5):
        for kind in (DeepConv3d, DeepEndsConv3d, EndsConv3d):
            for size in ((2, 2, 2), (4, 8, 8), (6, 10, 7)):
                yield kind.__name__, strided(kind, channels), (channels, *size)
        for kind in (DeepConvTranspose3d, DeepEndsConvTranspose3d, EndsConvTranspose3d):
            for size in ((1, 1, 1), (2, 4, 4), (3, 5, 7)):
                yield kind.__name__, strided(kind, channels), (channels, *size)
        for size in ((1, 1, 1), (5, 7, 3)):
            for last in (ToPixels, EndsToPixels):
                yield last.__name__, last(channels, 3, (3, 4, 4), (1, 2, 2), 1, bias=False), (channels, *size)
                yield f"{last.__name__}, doubled in time", last(channels, 1, 4, 2, 1), (channels, *size)
        yield "WholeConv3d", WholeConv3d(channels, 7, (2, 4, 4), bias=False), (channels, 2, 4, 4)
        yield "WholeConvTranspose3d", WholeConvTranspose3d(channels, 7, (2, 4, 4)), (channels, 1, 1, 1)


CASES = [pytest.param(layer, size, id=f"{name}-{'x'.join(map(str, size))}") for name, layer, size in layers()]


@pytest.mark.parametrize(("layer", "size"), CASES)
def test_a_fast_layer_is_that_of_float64(layer: nn.Module, size: Sizes) -> None:
    assert check_layer(LayerCall(layer, (torch.rand(3, *size) * 2 - 1,))) < ROUNDING


PLAIN: dict[type[nn.Module], type[nn.Module]] = {
    WholeConv3d: nn.Conv3d,
    WholeConvTranspose3d: nn.ConvTranspose3d,
    DeepConv3d: nn.Conv3d,
    DeepConvTranspose3d: nn.ConvTranspose3d,
    ToPixels: nn.ConvTranspose3d,
}


@pytest.mark.parametrize(("layer", "size"), [case for case in CASES if type(case.values[0]) in PLAIN])
def test_a_fast_layer_is_the_plain_convolution(layer: nn.Module, size: Sizes) -> None:
    plain = copy.deepcopy(layer).double()
    plain.__class__ = PLAIN[type(layer)]
    x = torch.rand(2, *size) * 2 - 1
    poison_memory()
    with torch.no_grad():
        assert difference(layer(x), plain(x.double())) < ROUNDING


@pytest.mark.parametrize("kind", [nn.Conv3d, EndsConv3d])
@pytest.mark.parametrize("geometry", [((3, 4, 4), (1, 2, 2)), (4, 2)])
@pytest.mark.parametrize(("batch", "channels"), [(1, 1), (2, 3)])
def test_a_still_video_costs_less_and_is_the_whole_one(
    kind: type[nn.Conv3d], geometry: tuple[Sizes | int, Sizes | int], batch: int, channels: int
) -> None:
    layer = kind(channels, 5, *geometry, 1, bias=False)
    image = (torch.rand(batch, 9, 7, channels) * 2 - 1).permute(0, 3, 1, 2).unsqueeze(2)  # not contiguous
    right = copy.deepcopy(layer).double()(image.double().expand(-1, -1, 32, -1, -1))
    poison_memory()
    assert difference(over_still(layer, image, 32).detach(), right.detach()) < ROUNDING
    # A video of which all frames but the ends are alike, as the first such layer makes one.
    video = torch.cat([image + 0.5, image.expand(-1, -1, 6, -1, -1), image - 0.5], 2)
    if kind is nn.Conv3d and layer.stride[0] == 2:
        right = copy.deepcopy(layer).double()(video.double())
        poison_memory()
        assert difference(over_still(layer, video, 32).detach(), right.detach()) < ROUNDING


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize(
    "layer", [nn.Conv3d, nn.ConvTranspose3d, EndsConv3d, EndsConvTranspose3d, DeepConv3d, DeepEndsConvTranspose3d]
)
def test_folded_norms_are_those_of_float64(layer: type[nn.Module], channels: int, batch: int) -> None:
    made = strided(layer, channels)
    chain = nn.Sequential(made, nn.BatchNorm3d(2 * channels + 1), nn.ReLU()).eval()
    norm = chain[1]
    assert isinstance(norm, nn.BatchNorm3d)
    nn.init.uniform_(norm.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
    nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    exact = copy.deepcopy(chain).double()
    values: Tensor = (torch.rand(batch, 4, 6, 6, channels) * 2 - 1).permute(0, 4, 1, 2, 3)
    right = exact(values.double()).detach()
    folded(chain)
    assert isinstance(chain[1], nn.Identity)
    for count in (1, 2):
        with threads(count), torch.no_grad():
            poison_memory()
            assert difference(chain(values), right) < ROUNDING
