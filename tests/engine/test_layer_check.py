from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.adversarial import ToPixels
from bench.engine.devices import threads
from bench.engine.layer_check import LayerCall, check_layer, difference, record_calls, thread_counts
from mdgan.cpu_layers import DeepConv3d, WholeConv3d


def test_layers_with_weights_are_found_where_they_are_used() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))
    cell = nn.LSTMCell(2, 2)
    calls = record_calls(network, lambda: [network(torch.rand(1, 3, 9, 9)) for _ in range(2)])
    assert [call.kind[0] for call in calls] == ["Conv2d"] * 3  # each size once
    calls = record_calls(cell, lambda: cell(torch.rand(1, 2), cell(torch.rand(1, 2), None)))
    assert len(calls) == 2  # with a memory and without
    assert all(check_layer(call) < 1e-5 for call in calls)
    assert not cell._forward_pre_hooks


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv3d(3, 5, 4, 2, 1), (3, 3, 8, 9, 9)),
        (nn.BatchNorm3d(4), (2, 4, 3, 5, 5)),
        (WholeConv3d(4, 3, (2, 4, 4)), (2, 4, 2, 4, 4)),
        (DeepConv3d(4, 3, 4, 2, 1), (2, 4, 4, 8, 8)),
        (ToPixels(4, 3, (3, 4, 4), (1, 2, 2), 1, bias=False), (2, 4, 5, 7, 7)),
    ],
)
def test_right_layers_are_off_by_rounding(layer: nn.Module, shape: tuple[int, ...]) -> None:
    assert 0 < check_layer(LayerCall(layer, (torch.randn(shape),))) < 1e-5


class Off(nn.Conv2d):
    """Wrong in one way that `where` says."""

    where = ""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if x.dtype == torch.float64:
            return y
        wrong = {
            "everywhere": True,
            "without gradients": not torch.is_grad_enabled(),
            "one clip": len(x) == 1,
            "odd": x.shape[-1] % 2 == 1,
            "strided": x.stride(-1) == 2,
            "channels last": x.stride(1) == 1,
        }
        return y + 1e-2 if wrong.get(self.where) else y


@pytest.mark.parametrize("where", ["everywhere", "without gradients", "one clip", "odd", "strided", "channels last"])
def test_a_layer_that_is_wrong_in_one_way_is_found(where: str) -> None:
    layer = Off(3, 2, 3)
    assert check_layer(LayerCall(layer, (torch.randn(2, 3, 8, 8),))) < 1e-5
    layer.where = where
    assert check_layer(LayerCall(layer, (torch.randn(2, 3, 8, 8),))) > 1e-3


def test_what_is_not_finite_is_infinitely_wrong() -> None:
    right = torch.tensor([2.0, 4.0])
    assert difference(torch.tensor([2.0, 5.0]), right) == pytest.approx(0.25)
    assert difference(right, right) == 0
    assert difference(torch.tensor([2.0, float("nan")]), right) == float("inf")


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with threads(2):
        assert thread_counts() == [1, 2]
    assert torch.get_num_threads() == before
