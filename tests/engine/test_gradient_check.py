from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.engine.gradient_check import (
    TOLERANCE,
    DecisionRecorder,
    check_gradients,
    perturbed,
    poison_memory,
    relative_errors,
)
from bench.engine.model_factory import build
from bench.interface import VideoModel
from tests.support.small import Tint, TintStage


def clips(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 32, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Chained(Tint):
    """A third party's model that trains a network of its own choice."""

    def __init__(self, *layers: nn.Module) -> None:
        VideoModel.__init__(self, 64, 32)
        self.network = nn.Sequential(*layers)
        self.rate = 1e-3

    def stages(self) -> tuple[TintStage, ...]:
        return (TintStage(self.network, self.rate),)

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        raise NotImplementedError


def test_a_right_step_is_right_and_leaves_the_model_as_it_was() -> None:
    model = build("vgan", {"width": 2, "time_padding": "replicate"}, 64)
    before = copy.deepcopy(model.state_dict())
    check = check_gradients(model, 0, clips())
    assert check.right
    assert 0 < check.error < TOLERANCE["float32"] / 5  # or the branches are not those that were taken
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_a_kernel_that_is_a_hundredth_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model, right = build("vgan", {"width": 2}, 64), F.conv3d

    def wrong(x: Tensor, *arguments: object, **named: object) -> Tensor:
        made: Tensor = right(x, *arguments, **named)  # type: ignore[call-overload]
        return made * 1.01 if x.dtype == torch.float32 else made

    monkeypatch.setattr(F, "conv3d", wrong)
    check = check_gradients(model, 0, clips())
    assert not check.right
    assert check.error > 2 * TOLERANCE["float32"]


class Unwritten(torch.autograd.Function):
    """The same values, with a gradient that is whatever memory holds."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return torch.empty_like(gradient) if gradient.dtype == torch.float32 else gradient


class Through(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = Unwritten.apply(x)
        return made


def test_a_gradient_that_is_not_written_is_found() -> None:
    check = check_gradients(Chained(nn.Conv3d(3, 3, 1), Through()), 0, clips(), repeats=3)
    assert not check.right
    assert check.error > 0.5


def test_a_gradient_that_is_another_every_time_is_named() -> None:
    calls = iter((1.0, 1.0 + 1e-6))

    class Drifting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * next(calls) if x.dtype == torch.float32 else x

    check = check_gradients(Chained(nn.Conv3d(3, 3, 1), Drifting()), 0, clips())
    assert check.error < check.tolerance
    assert "generator.0.weight" in check.unstable
    assert not check.right


def test_branches_and_random_numbers_are_those_of_the_checked_step() -> None:
    kinks = (nn.ReLU(inplace=True), nn.LeakyReLU(0.2), nn.MaxPool3d(3, 1, 1), nn.Dropout(0.5), nn.Hardtanh(-0.5, 0.5))
    model = Chained(nn.Conv3d(3, 3, 1), nn.BatchNorm3d(3), *kinks)
    assert check_gradients(model, 0, clips()).right
    x = torch.randn(4, 1000)
    record = DecisionRecorder()
    with record:
        places = torch.max(x, 1).indices
        kept = x > 0
        drawn = torch.rand(3)
    with DecisionRecorder(record.record):
        assert torch.equal(torch.max(-x.double(), 1).indices, places)
        assert torch.equal(-x.double() > 0, kept)
        assert torch.equal(torch.rand(3), drawn)
        with pytest.raises(RuntimeError, match="decides more often"):  # an operation of which there is no record
            x.double().lt(0)


def test_a_difference_that_rounding_explains_is_none() -> None:
    """A step that subtracts nearly equal numbers loses their digits, on any machine."""

    class Cancelling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(1.0 / 3))

        def forward(self, x: Tensor) -> Tensor:
            return ((self.weight * 3e5 + x) - 1e5) ** 2

    check = check_gradients(Chained(nn.Conv3d(3, 3, 1), Cancelling()), 0, clips())
    assert check.right
    assert check.error > TOLERANCE["float32"]


def test_differences_are_relative_and_no_gradient_is_none() -> None:
    right = {"a.x": torch.tensor([3.0, 4.0]), "a.bias": torch.tensor([1e-18]), "a/loss": torch.tensor(0.5)}
    same = {key: value.clone() for key, value in right.items()}
    assert set(relative_errors(same, right).values()) == {0.0}
    assert relative_errors({**same, "a.x": torch.tensor([3.0, 4.5])}, right)["a.x"] == pytest.approx(0.1)
    assert relative_errors({**same, "a.bias": torch.tensor([1e-6])}, right)["a.bias"] == pytest.approx(2e-7)
    assert relative_errors({**same, "a.bias": torch.tensor([0.5])}, right)["a.bias"] == pytest.approx(0.1)
    assert relative_errors({**same, "a/loss": torch.tensor(0.6)}, right)["a/loss"] == pytest.approx(0.1)
    assert relative_errors({**same, "a.x": torch.tensor([3.0, float("nan")])}, right)["a.x"] == float("inf")
    assert relative_errors({"a.x": right["a.x"]}, right)["a.bias"] == float("inf")


def test_perturbed_weights_are_off_by_rounding() -> None:
    model = build("vgan", {"width": 2}, 64).double()
    for before, after in zip(model.parameters(), perturbed(model, 1e-3).parameters(), strict=True):
        assert ((after - before).abs() <= 1e-3 * before.abs()).all()
        assert not before.any() or not torch.equal(after, before)


def test_memory_that_is_handed_out_next_holds_nan() -> None:
    poison_memory()
    assert any(torch.empty(1 << power).isnan().any() for power in range(8, 21))
