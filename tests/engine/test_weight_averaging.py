from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.engine.weight_averaging import WeightAverage, rate_share, rates_of, set_rates


def test_rates_hold_then_fall_in_a_line_and_the_last_step_still_moves():
    shares = [rate_share(step, 10, 0.5) for step in range(1, 11)]
    assert shares == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])
    assert [rate_share(step, 10, 1.0) for step in (1, 10)] == [1.0, 1.0]
    assert rate_share(1, 10, 0.0) == 1.0
    assert rate_share(10, 10, 0.0) == pytest.approx(0.1)


def test_every_optimiser_gets_a_share_of_its_own_rate():
    made = {
        name: torch.optim.Adam([nn.Parameter(torch.zeros(1))], rate) for name, rate in (("one", 1e-3), ("other", 1e-4))
    }
    rates = rates_of(made)
    for share in (0.5, 0.25):  # of what they began with, not of what they have
        set_rates(made, rates, share)
        assert [optimizer.param_groups[0]["lr"] for optimizer in made.values()] == [1e-3 * share, 1e-4 * share]


def test_an_average_is_the_formula_and_its_first_steps_count_less():
    network = nn.Linear(1, 1, bias=False)
    values = [3.0, -1.0, 4.0, 1.5]
    nn.init.constant_(network.weight, values[0])
    average, expected = WeightAverage(network, 0.25), values[0]
    for step, value in enumerate(values[1:], start=1):
        nn.init.constant_(network.weight, value)
        average.follow(step)
        kept = min(0.25, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * value
        assert network.weight.item() == value  # the network goes its own way
    assert average.weights[0].item() == pytest.approx(expected, rel=1e-6)
    average.hand_on()
    assert network.weight.item() == average.weights[0].item()
    other = WeightAverage(nn.Linear(1, 1, bias=False), 0.25)
    other.restore(average.weights)
    assert torch.equal(other.weights[0], average.weights[0])
    assert other.weights[0] is not average.weights[0]
