from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.engine.devices import threads
from bench.engine.gradient_check import poison_memory
from bench.engine.layer_check import difference
from bench.metrics.networks.i3d import Unit
from bench.metrics.networks.i3d_folded import TILED_CHANNELS, FoldedUnit, _convolve, fold

#: Relative to the largest value. A tap too many or too few makes more than 1e-2.
ROUNDING = 2e-6


def unit(inputs: int, outputs: int) -> Unit:
    torch.manual_seed(0)
    made = Unit(inputs, outputs, 3).eval().requires_grad_(False)
    nn.init.uniform_(made.bn.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
    nn.init.uniform_(made.bn.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return made


def exact(made: Unit, x: Tensor) -> Tensor:
    """Convolution and norm in float64, `[N, T, H, W, C]` to `[N, T, H, W, C']`."""
    double = made.double()
    convolved = F.conv3d(x.double().permute(0, 4, 1, 2, 3), double.conv3d.weight, padding=1)
    return double.bn(convolved).permute(0, 2, 3, 4, 1)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("size", [(1, 1, 2, 2), (1, 5, 14, 4), (1, 2, 18, 6), (2, 3, 16, 10)])
def test_large_convolutions_in_tiles_are_those_of_float64(size: tuple[int, ...], count: int) -> None:
    made = unit(TILED_CHANNELS, 40)
    folded = fold(made)
    assert len(folded.tiles) == 16
    x = torch.randn(*size, TILED_CHANNELS).relu_()
    with threads(count):
        poison_memory(largest=1 << 18)
        found = _convolve(x, folded)
    assert difference(found, exact(made, x)) < ROUNDING


def test_tiles_are_nearer_to_float64_than_the_direct_convolution() -> None:
    made = unit(TILED_CHANNELS, 64)
    folded, x = fold(made), torch.randn(1, 4, 28, 28, TILED_CHANNELS).relu_()
    right = exact(made, x)
    tiled, direct = (_convolve(x, how) for how in (folded, FoldedUnit(folded.weight, folded.bias)))
    assert (tiled - right).square().mean() < (direct - right).square().mean()
    assert not torch.equal(tiled, direct)


@pytest.mark.parametrize(("channels", "size"), [(TILED_CHANNELS, (7, 8)), (TILED_CHANNELS, (8, 7)), (24, (8, 8))])
def test_odd_sizes_and_few_channels_are_convolved_directly(channels: int, size: tuple[int, int]) -> None:
    made = unit(channels, 24)
    folded, x = fold(made), torch.randn(1, 3, *size, channels)
    found = _convolve(x, folded)
    assert torch.equal(found, _convolve(x, FoldedUnit(folded.weight, folded.bias)))
    assert difference(found, exact(made, x)) < ROUNDING


def test_tiles_are_for_float32_on_a_cpu() -> None:
    folded = fold(unit(TILED_CHANNELS, 8))
    assert folded.to(torch.device("cpu"), torch.float32).tiles is folded.tiles
    assert not folded.to(torch.device("cpu"), torch.bfloat16).tiles
    assert not folded.to(torch.device("meta"), torch.float32).tiles
