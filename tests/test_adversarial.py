from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from baselines.rnngan import RNNGAN
from baselines.vgan import VGAN
from bench.adversarial import (
    EndsConv3d,
    EndsConvTranspose3d,
    adam,
    discriminator_loss,
    generator_loss,
    initialise,
    interpolate,
    two_adams,
)
from bench.errors import BenchError
from bench.interface import VideoModel
from mdgan.model import MDGAN


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


def test_two_adams_have_one_rate_unless_the_discriminator_has_its_own():
    parameters = [nn.Parameter(torch.zeros(1))]
    for rate, expected in ((None, 3e-4), (5e-5, 5e-5)):
        moves, judges = two_adams(3e-4, rate, (0.5, 0.9))
        assert moves(parameters).defaults["lr"] == 3e-4
        assert judges(parameters).defaults["lr"] == expected
        assert judges(parameters).defaults["betas"] == (0.5, 0.9)


@pytest.mark.parametrize(
    ("layer", "strided"),
    [
        (nn.ConvTranspose3d(1, 1, 4, 2, 1, bias=False), (2, 3, 4)),
        (nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False), (2, 3)),
        (nn.ConvTranspose3d(1, 1, (1, 4, 4), (1, 2, 2), (0, 1, 1), bias=False), (3, 4)),
    ],
)
def test_a_transposed_convolution_starts_as_linear_interpolation(layer, strided: tuple[int, ...]):
    interpolate(layer, 1.0)
    ramps = torch.meshgrid(*(torch.arange(6.0) for _ in layer.kernel_size), indexing="ij")
    video = torch.stack(ramps).sum(0)[None, None]  # rises by 1 a place along every axis
    made = layer(video).detach()[0, 0]
    inside = made[tuple(slice(3, -3) if axis in strided else slice(1, -1) for axis in range(2, video.ndim))]
    for axis in range(inside.ndim):
        steps = inside.diff(dim=axis)
        torch.testing.assert_close(steps, steps.flatten()[0].expand_as(steps), rtol=1e-4, atol=1e-5)
        # Half the steps, each half as high, where the axis is doubled.
        ratio = 0.5 if axis + 2 in strided else 1.0
        torch.testing.assert_close(steps.flatten()[0] / (2**0.5) ** len(strided), ratio * total_weight(layer, strided))


def total_weight(layer: nn.Module, strided: tuple[int, ...]) -> torch.Tensor:
    """What one input value of the layer's single pair of channels was drawn as."""
    weight = layer.weight.detach().flatten()  # type: ignore[union-attr, operator]
    return weight[0] / (0.25 * 2**0.5) ** len(strided)


def test_values_of_an_interpolating_start_are_drawn_for_each_pair_of_channels():
    torch.manual_seed(0)
    layer = nn.ConvTranspose3d(64, 64, 4, 2, 1)
    initialise(layer, std=0.01)
    drawn = layer.weight.detach()[:, :, 1, 1, 1] / (0.75 * 2**0.5) ** 3
    assert drawn.std().item() == pytest.approx(0.01, rel=0.05)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_two_first_time_steps_start_alike_and_pictures_do_not():
    layer = nn.ConvTranspose3d(8, 8, (2, 4, 4))
    interpolate(layer, 0.02)
    assert torch.equal(layer.weight[:, :, 0], layer.weight[:, :, 1])
    assert layer.weight[:, :, 0].std(dim=(2, 3)).min() > 1e-3


def test_the_start_of_dcgan_is_what_it_was():
    layers = [nn.Conv3d(2, 3, 4), nn.ConvTranspose3d(3, 2, 4, 2, 1), nn.BatchNorm3d(5), nn.ConvTranspose2d(2, 2, 4, 2)]
    torch.manual_seed(7)
    initialise(nn.Sequential(*layers), start="dcgan")
    torch.manual_seed(7)
    for layer in layers:
        mean = 1.0 if isinstance(layer, nn.BatchNorm3d) else 0.0
        assert torch.equal(layer.weight, torch.empty_like(layer.weight).normal_(mean, 0.02))
    with pytest.raises(BenchError, match=r"Unknown start of weights: 'interpolate'\. Did you mean 'interpolating'"):
        initialise(nn.Sequential(*layers), start="interpolate")


@pytest.mark.parametrize("model", [MDGAN, VGAN, RNNGAN])
def test_an_untrained_model_flickers_with_one_start_and_not_with_the_other(model: type[VideoModel]):
    def flicker(start: str) -> float:
        torch.manual_seed(0)
        built = model(64, 32, width=8, init=start).train()
        generator = built.stages()[0].modules()["generator"]
        first = torch.nn.functional.interpolate(torch.rand(2, 3, 4, 4) * 2 - 1, (64, 64), mode="bilinear")
        with torch.no_grad():
            video = generator(first.unsqueeze(2) if model is MDGAN else first)[:, :, 4:-4]
        return (video.diff(dim=2).abs().mean() / video.std(dim=(3, 4)).mean()).item()

    calm = flicker("interpolating")
    assert calm < 0.2
    if model is not RNNGAN:  # which makes each frame from the one before, and whose layers know no time
        assert flicker("dcgan") > 4 * calm


def test_repeated_ends_are_pytorchs_own_padding_in_time():
    torch.manual_seed(0)
    video = torch.rand(1, 2, 6, 8, 8)
    down = EndsConv3d(2, 3, 4, 2, 1, bias=False)
    padded = torch.nn.functional.pad(video, (0, 0, 0, 0, 1, 1), mode="replicate")
    expected = torch.nn.functional.conv3d(padded, down.weight, None, 2, (0, 1, 1))
    torch.testing.assert_close(down(video), expected)
    up = EndsConvTranspose3d(2, 3, 4, 2, 1, bias=False)
    longer = torch.nn.functional.pad(video, (0, 0, 0, 0, 2, 2), mode="replicate")
    whole = torch.nn.functional.conv_transpose3d(longer, up.weight, None, 2, 1)
    torch.testing.assert_close(up(video), whole[:, :, 4:-4])
