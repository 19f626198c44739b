from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.adversarial import adam
from bench.engine.network_transforms import channels_last
from bench.engine.training_step import restore_optimizers
from bench.errors import BenchError


def network() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv3d(3, 4, (2, 3, 4)), nn.ConvTranspose3d(4, 2, 3))
    channels_last(made)
    return made


def step(trained: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for parameter in trained.parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.empty_like(parameter).copy_(drawn)
    optimizer.step()


def as_older(state: dict[str, Any]) -> dict[str, Any]:
    """An optimiser's state from before weights were channels last."""
    state = copy.deepcopy(state)
    for kept in state["state"].values():
        kept.update({name: value.contiguous() for name, value in kept.items() if isinstance(value, Tensor)})
    return state


@pytest.mark.parametrize("amsgrad", [False, True])
def test_moments_of_another_layout_stay_with_their_weights(amsgrad: bool) -> None:
    one, other = network(), network()
    make = (lambda p: torch.optim.Adam(p, 1e-2, amsgrad=True, fused=True)) if amsgrad else adam(1e-2, (0.5, 0.9))
    optimizer, other_optimizer = make(one.parameters()), make(other.parameters())
    for number in range(2):
        step(one, optimizer, number)
        step(other, other_optimizer, number)
    older = as_older(optimizer.state_dict())
    layouts = [kept["exp_avg"].stride() for kept in older["state"].values()]
    assert layouts != [parameter.stride() for parameter in one.parameters()]
    resumed = make(other.parameters())
    restore_optimizers({"generator": resumed}, {"generator": older})
    for parameter, kept in resumed.state.items():
        moments = {name: value for name, value in kept.items() if name != "step"}
        assert len(moments) == 2 + amsgrad
        assert {value.stride() for value in moments.values()} == {parameter.stride()}
    step(one, optimizer, 2)
    step(other, resumed, 2)
    for weight, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, its)


def test_states_of_other_parameters_are_refused() -> None:
    trained = network()
    optimizer = adam(1e-2, (0.5, 0.9))(trained.parameters())
    step(trained, optimizer, 0)
    state = optimizer.state_dict()
    fresh = {"generator": adam(1e-2, (0.5, 0.9))(trained.parameters())}
    with pytest.raises(BenchError, match=r"no optimizer state that fits the generator.*another folder"):
        restore_optimizers(fresh, {"discriminator": state})
    fewer = {**state, "param_groups": [{**state["param_groups"][0], "params": [0]}]}
    with pytest.raises(BenchError, match=r"no optimizer state that fits the generator.*another folder"):
        restore_optimizers(fresh, {"generator": fewer})
    swapped = {**state, "state": dict(zip(state["state"], reversed(state["state"].values()), strict=True))}
    with pytest.raises(BenchError, match=r"exp_avg of the generator's parameter 0 has the shape \[2\], and the"):
        restore_optimizers(fresh, {"generator": swapped})
    restore_optimizers(fresh, {"generator": state})
    assert len(fresh["generator"].state) == 4


def test_an_optimizer_that_has_not_stepped_and_one_with_other_states_are_restored() -> None:
    trained = network()
    fresh = adam(1e-2, (0.5, 0.9))(trained.parameters())
    restore_optimizers({"generator": fresh}, {"generator": fresh.state_dict()})
    assert not fresh.state
    other = torch.optim.Adafactor(trained.parameters()) if hasattr(torch.optim, "Adafactor") else None
    if other:  # which keeps rows and columns; it came with torch 2.5
        step(trained, other, 0)
        restore_optimizers({"generator": other}, {"generator": other.state_dict()})
