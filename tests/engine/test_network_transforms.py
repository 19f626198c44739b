from __future__ import annotations

import warnings
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from bench.engine.network_transforms import foldable


def chain(layer: nn.Module, norm: nn.Module) -> nn.Sequential:
    """A convolution and a batch norm whose statistics and weights are not the initial ones."""
    for values, low, high in ((norm.running_mean, -0.5, 0.5), (norm.running_var, 0.5, 2.0)):
        nn.init.uniform_(values, low, high)  # type: ignore[arg-type]
    if norm.weight is not None:
        nn.init.uniform_(norm.weight, 0.5, 2.0)  # type: ignore[arg-type]
        nn.init.uniform_(norm.bias, -0.5, 0.5)  # type: ignore[arg-type]
    return nn.Sequential(layer, norm).double().eval()


def folded(network: nn.Module) -> nn.Module:
    """The network with every batch norm folded that can be."""
    for pair in foldable(network):
        pair.fold()
    return network


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.children()]


class Doubled(nn.Conv2d):
    """Does something else than a convolution with its weight and its bias."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Renamed(nn.Conv2d):
    """Does the same, and says so."""

    foldable: ClassVar = True


class DoubledAgain(Renamed):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Skips(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](self[0](x)) + self[0](x)


@pytest.mark.parametrize("bias", [False, True])
def test_folding_is_the_same_function(bias: bool) -> None:
    torch.manual_seed(0)
    image = {"kernel_size": 3, "stride": 2, "padding": 1, "bias": bias}
    cases: list[tuple[nn.Module, nn.Module]] = [
        (nn.Conv1d(4, 6, **image), nn.BatchNorm1d(6)),
        (nn.Conv2d(4, 6, groups=2, padding_mode="circular", **image), nn.BatchNorm2d(6, affine=False)),
        (nn.Conv3d(4, 6, **image), nn.BatchNorm3d(6, eps=0.1)),
        (nn.ConvTranspose1d(4, 6, **image), nn.BatchNorm1d(6)),
        (nn.ConvTranspose2d(4, 6, **image), nn.BatchNorm2d(6)),
        (nn.ConvTranspose3d(4, 6, **image), nn.BatchNorm3d(6)),
        (Renamed(4, 6, **image), nn.BatchNorm2d(6)),
    ]
    for layer, norm in cases:
        pair = chain(layer, norm)
        x = torch.randn(2, 4, *[7] * (layer.weight.ndim - 2), dtype=torch.float64)  # type: ignore[operator]
        expected = pair(x)
        folded(pair)
        assert kinds(pair) == [type(layer).__name__, "Identity"]
        torch.testing.assert_close(pair(x), expected, rtol=0, atol=1e-12)


def other_layers() -> dict[str, nn.Sequential]:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the older way with hooks is what many models still have
        hooked = {
            "old spectral norm": nn.utils.spectral_norm(nn.Conv2d(4, 4, 3)),
            "old weight norm": nn.utils.weight_norm(nn.Conv2d(4, 4, 3)),
        }
    layers = {
        **hooked,
        "spectral norm": parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
        "weight norm": parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
        "groups": nn.ConvTranspose2d(4, 4, 3, groups=2),
        "a subclass": Doubled(4, 4, 3),
        "a subclass of one that opts in": DoubledAgain(4, 4, 3),
        "a hook": nn.Conv2d(4, 4, 3),
        "a hook before": nn.Conv2d(4, 4, 3),
        "a replaced forward": nn.Conv2d(4, 4, 3),
    }
    layers["a hook"].register_forward_hook(lambda _, __, made: made.clamp(min=0))
    layers["a hook before"].register_forward_pre_hook(lambda _, inputs: (inputs[0].abs(),))
    plain = layers["a replaced forward"].forward
    layers["a replaced forward"].forward = lambda x: plain(x).abs()  # type: ignore[method-assign, operator]
    chains = {name: chain(layer, nn.BatchNorm2d(4)) for name, layer in layers.items()}
    seen = chain(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    seen[1].register_forward_pre_hook(lambda _, inputs: (inputs[0].abs(),))
    chains["a hook of the norm"] = seen
    return chains


@pytest.mark.parametrize("name", other_layers())
def test_what_may_compute_something_else_is_not_folded(name: str) -> None:
    network = other_layers()[name]
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    expected, before = network(x), kinds(network)
    assert not foldable(network)
    assert kinds(folded(network)) == before
    assert torch.equal(network(x), expected)


def test_a_chain_with_a_forward_of_its_own_is_not_folded() -> None:
    network = Skips(*chain(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)))
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    expected = network(x)
    assert torch.equal(folded(network)(x), expected)


class TwoPlaces(nn.Module):
    """Holds a layer of its chain under a second name, and runs it under that."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = chain(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.first = self.chain[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.chain[1:](self.first(x))  # type: ignore[no-any-return]


def test_layers_in_two_places_are_not_folded() -> None:
    network = TwoPlaces()
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    expected = network(x)
    assert torch.equal(folded(network)(x), expected)


def test_networks_can_be_spared_and_a_fold_taken_back() -> None:
    network = nn.ModuleList(chain(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)) for _ in range(2))
    layers = list(network.modules())
    pairs = foldable(network, spared=[network[1]])
    assert [pair.chain for pair in pairs] == [network[0]]
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    expected = network[0](x)
    for pair in pairs:
        pair.fold()
    assert kinds(network[0]) == ["Conv2d", "Identity"]
    assert kinds(network[1]) == ["Conv2d", "BatchNorm2d"]
    for pair in pairs:
        pair.unfold()
    assert list(network.modules()) == layers
    assert torch.equal(network[0](x), expected)
