from __future__ import annotations

import copy
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from bench.adversarial import (
    EndsConv3d,
    EndsConvTranspose3d,
    EndsToPixels,
    ToPixels,
    blocks_to_channels,
    channels_to_blocks,
)
from bench.engine.gradient_check import poison_memory
from bench.engine.model_factory import build
from bench.engine.space_to_depth import FORMS, space_to_depth
from bench.registry import DEFAULT_MODELS
from mdgan.cpu_layers import DeepConv3d, DeepConvTranspose3d, DeepEndsConv3d, DeepEndsConvTranspose3d

CUBE, FLAT = (4, 2, 1), ((3, 4, 4), (1, 2, 2), 1)
LAYERS = [
    *((kind, geometry) for kind in FORMS for geometry in (CUBE, FLAT)),
    *((kind, CUBE) for kind in (DeepConv3d, DeepEndsConv3d, DeepConvTranspose3d, DeepEndsConvTranspose3d)),
    *((kind, geometry) for kind in (ToPixels, EndsToPixels) for geometry in (CUBE, FLAT)),
]


def results(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """What a layer makes, and the gradients of its input and weights."""
    x = x.detach().requires_grad_(True)
    made = layer(x)
    weighting = torch.rand(made.shape, generator=torch.Generator().manual_seed(0)).to(made.dtype) - 0.5
    return [made, *torch.autograd.grad(made, [x, *layer.parameters()], weighting)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "geometry"), LAYERS)
@pytest.mark.parametrize("size", [(2, 2, 2), (4, 6, 8), (6, 7, 9)])
def test_a_layer_computes_what_it_computed(
    kind: type[nn.Module], geometry: tuple[int, int, int], bias: bool, size: tuple[int, int, int]
) -> None:
    torch.manual_seed(1)
    plain = kind(3, 5, *geometry, bias=bias)
    blocks = copy.deepcopy(plain)
    assert space_to_depth(blocks) == [blocks]
    assert type(blocks) in FORMS.values()
    assert all(torch.equal(value, blocks.state_dict()[name]) for name, value in plain.state_dict().items())
    x = (torch.rand(2, *size, 3) * 2 - 1).permute(0, 4, 1, 2, 3)
    right = results(copy.deepcopy(plain).double(), x.double())
    for one, other in zip(results(copy.deepcopy(blocks).double(), x.double()), right, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    poison_memory(largest=1 << 14)
    for one, other in zip(results(blocks, x), right, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5 * float(other.abs().max()))


def test_blocks_become_channels_and_blocks_again() -> None:
    x = torch.arange(2 * 3 * 4 * 6 * 8.0).reshape(2, 3, 4, 6, 8)
    deep = blocks_to_channels(x, (2, 1, 2))
    assert deep.shape == (2, 12, 2, 6, 4)
    assert torch.equal(deep[1, :, 1, 2, 3], torch.cat([x[1, :, 2 + t, 2, 6 + w] for t in (0, 1) for w in (0, 1)]))
    assert torch.equal(channels_to_blocks(deep, (2, 1, 2)), x)


@pytest.mark.parametrize(("name", "count"), [("mdgan", {"zeros": 24, "replicate": 24}), ("vgan", {"zeros": 9})])
def test_the_strided_layers_of_a_model_change_and_its_weights_do_not(name: str, count: dict[str, int]) -> None:
    for padding, changed in count.items():
        model = build(name, {"width": 2, "time_padding": padding}, 64)
        before = copy.deepcopy(model.state_dict())
        assert len(space_to_depth(model)) == changed
        assert not space_to_depth(model)
        after = model.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(before[key], value) for key, value in after.items())


@pytest.mark.parametrize("name", DEFAULT_MODELS)
def test_a_model_makes_the_same_videos_in_float64(name: str) -> None:
    model = build(name, {"width": 1 if name == "mdgan" else 2}, 64).double().eval()
    blocks = copy.deepcopy(model)
    assert space_to_depth(blocks)
    first = torch.rand(1, 3, 64, 64, dtype=torch.float64) * 2 - 1
    with torch.enable_grad():
        for row in model.rows:
            right = model._continue(first, [row])[row]
            torch.testing.assert_close(blocks._continue(first, [row])[row], right, rtol=0, atol=1e-12)


class Doubled(nn.Conv3d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Inherits(DeepConv3d):
    pass


class OptsIn(nn.Conv3d):
    trains_as: ClassVar = nn.Conv3d


def test_only_what_is_known_changes() -> None:
    others = [
        Doubled(3, 5, 4, 2, 1),
        Inherits(3, 5, 4, 2, 1),
        nn.Conv3d(3, 5, 3, 1, 1),
        nn.Conv3d(3, 5, 4, 2, 0),
        nn.Conv3d(3, 5, 4, 2, "valid"),
        nn.Conv3d(4, 4, 4, 2, 1, groups=2),
        nn.Conv3d(3, 5, 4, 2, 1, padding_mode="replicate"),
        nn.ConvTranspose3d(3, 5, 4, 2, 1, output_padding=1),
        nn.Conv2d(3, 5, 4, 2, 1),
        EndsConv3d(3, 5, 3, 1, 1),
        nn.BatchNorm3d(3),
    ]
    ours = [OptsIn(3, 5, 4, 2, 1), EndsConvTranspose3d(3, 5, 4, 2, 1)]
    assert space_to_depth(nn.ModuleList([*others, *ours])) == ours
