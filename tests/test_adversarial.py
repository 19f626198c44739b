from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench.adversarial import adam, discriminator_loss, generator_loss, initialise


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_losses_are_the_formulas_on_probabilities():
    real, fake = [2.0, -1.0, 0.5], [0.25, -3.0]
    expected = -sum(math.log(sigmoid(x)) for x in real) / 3 - sum(math.log(1 - sigmoid(x)) for x in fake) / 2
    assert discriminator_loss(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(expected, rel=1e-6)
    expected = -sum(math.log(sigmoid(x)) for x in fake) / 2
    assert generator_loss(torch.tensor(fake)).item() == pytest.approx(expected, rel=1e-6)


def test_losses_stay_finite_and_keep_their_gradient_when_the_discriminator_is_sure():
    logits = torch.tensor([-200.0, -200.0], requires_grad=True)
    loss = generator_loss(logits)
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-0.5, -0.5])
    assert discriminator_loss(-logits.detach(), logits.detach()).item() == pytest.approx(0)


def test_players_pull_the_fake_logit_in_opposite_directions():
    logits = torch.zeros(3, requires_grad=True)
    (up,) = torch.autograd.grad(generator_loss(logits), logits)
    (down,) = torch.autograd.grad(discriminator_loss(torch.zeros(3), logits), logits)
    assert (up < 0).all()
    assert (down > 0).all()


def test_initialise_draws_convolutions_and_norms_and_leaves_the_rest():
    torch.manual_seed(0)
    conv, up = nn.Conv3d(8, 64, 4), nn.ConvTranspose2d(64, 64, 4)
    norm, linear = nn.BatchNorm3d(4096), nn.Linear(4, 4)
    before = linear.weight.detach().clone()
    initialise(nn.Sequential(conv, up, norm, linear), std=0.01, norm_std=0.03)
    for layer in (conv, up):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert abs(layer.weight.mean().item()) < 1e-3
        assert layer.bias is not None
        assert not layer.bias.any()
    assert norm.weight.std().item() == pytest.approx(0.03, rel=0.1)
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(linear.weight, before)


def test_adam_carries_its_settings():
    optimizer = adam(3e-4, (0.5, 0.9))([nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["lr"] == 3e-4
    assert optimizer.defaults["betas"] == (0.5, 0.9)
