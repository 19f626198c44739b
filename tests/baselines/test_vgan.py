from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from baselines.vgan import GENERATED, GENUINE, VGAN, VGANStage, class_loss
from bench.errors import BenchError

Play = Callable[..., dict[str, dict[str, Tensor]]]


def pictures(count: int, seed: int = 0) -> Tensor:
    """Still random coarse pictures as clips, `[count, 3, 32, 64, 64]` in [-1, 1]."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear").unsqueeze(2).repeat(1, 1, 32, 1, 1)


def model(**options: object) -> VGAN:
    torch.manual_seed(0)
    return VGAN(64, 32, **{"width": 4, **options})  # type: ignore[arg-type]


def stage_of(built: VGAN) -> VGANStage:
    (stage,) = built.stages()
    assert isinstance(stage, VGANStage)
    return stage


def test_parameter_counts_are_the_papers():
    with torch.device("meta"):
        built = VGAN(64, 32)
    assert sum(p.numel() for p in built.generator.parameters()) == 68_216_455
    assert sum(p.numel() for p in built.discriminator.parameters()) == 44_135_810


def test_initial_weights_are_the_released_codes():
    built = model(width=16)
    big = built.generator.stream[0].weight
    assert big.std().item() == pytest.approx(0.01, rel=0.05)
    norms = torch.cat([p for n, p in built.generator.named_parameters() if n.endswith("weight") and p.ndim == 1])
    assert norms.mean().item() == pytest.approx(1, abs=0.005)
    assert norms.std().item() == pytest.approx(0.02, rel=0.15)
    assert not any(p.any() for n, p in built.named_parameters() if n.endswith("bias"))


def test_the_video_is_the_masked_blend_of_its_parts():
    built = model().eval()
    first = pictures(2)[:, :, 0]
    parts, video = built.parts(first), built.predict(first)
    assert {name: tuple(part.shape) for name, part in parts.items()} == {
        "background": (2, 3, 32, 64, 64),
        "foreground": (2, 3, 32, 64, 64),
        "mask": (2, 1, 32, 64, 64),
    }
    blend = parts["mask"] * parts["foreground"] + (1 - parts["mask"]) * parts["background"]
    torch.testing.assert_close(video, blend)
    assert video.shape == (2, 3, 32, 64, 64)
    assert video.abs().max() <= 1


def test_a_weighted_mask_is_a_term_and_makes_the_same_video():
    plain, weighted = model(), model(mask_weight=3.0)
    clips = pictures(2)
    made = [stage_of(built.train()).forward(clips) for built in (plain, weighted)]
    torch.testing.assert_close(made[0]["fake"], made[1]["fake"])
    assert set(stage_of(plain).generator_losses(made[0])) == {"adversarial", "first_frame"}
    losses = stage_of(weighted).generator_losses(made[1])
    torch.testing.assert_close(losses["mask"], 3 * made[1]["mask"].mean())
    losses["mask"].backward()
    assert weighted.generator.mask[0].weight.grad.any()  # type: ignore[union-attr]
    assert weighted.generator.foreground[0].weight.grad is None


def test_with_repeated_ends_the_stream_starts_as_a_still_and_has_the_same_weights():
    first = pictures(2)[:, :, 0]
    torch.manual_seed(0)
    zeros = model()
    torch.manual_seed(0)
    ends = model(time_padding="replicate")
    for name, weight in zeros.state_dict().items():
        torch.testing.assert_close(ends.state_dict()[name], weight)
    with torch.no_grad():  # each by the statistics of its batch, as in training
        beside_zeros, still = (built.train().generator.parts(first)["foreground"] for built in (zeros, ends))
    assert still.abs().max() > 1e-3
    assert beside_zeros.diff(dim=2).abs().max() > 1e-3
    assert still.diff(dim=2).abs().max() < 1e-6
    with pytest.raises(BenchError, match="Unknown padding in time: 'reflect'"):
        model(time_padding="reflect")


def test_the_mask_chooses_between_background_and_foreground():
    built, first = model().eval(), pictures(1)[:, :, 0]
    parts = built.parts(first)
    with torch.no_grad():
        built.generator.mask[0].bias.fill_(100)
        assert torch.equal(built.predict(first), parts["foreground"])
        built.generator.mask[0].bias.fill_(-100)
        torch.testing.assert_close(built.predict(first), parts["background"])
    assert torch.equal(parts["background"][:, :, 0], parts["background"][:, :, 31])  # one still image
    # As interpolation it starts alike from both ends, and not in between.
    assert not torch.equal(parts["foreground"][:, :, 0], parts["foreground"][:, :, 15])


def test_class_loss_is_cross_entropy():
    logits = [[1.0, -0.5], [0.25, 2.0]]
    for label in (GENERATED, GENUINE):
        expected = sum(math.log(sum(map(math.exp, row))) - row[label] for row in logits) / 2
        assert class_loss(torch.tensor(logits), label).item() == pytest.approx(expected, rel=1e-6)
    assert GENERATED != GENUINE


def test_losses_are_the_papers():
    built = model(l1_weight=7.0)
    built.discriminator.eval()
    stage = stage_of(built)
    real, fake = pictures(2, 1), pictures(2, 2).requires_grad_()
    shared = {"real": real, "fake": fake}
    of_generator = stage.generator_losses(shared)
    assert set(of_generator) == {"adversarial", "first_frame"}
    difference = (fake.detach() - real).abs()
    difference[:, :, 1:] += 5  # later frames do not count
    expected = 7 * difference[:, :, 0].mean()
    torch.testing.assert_close(of_generator["first_frame"], expected)
    torch.testing.assert_close(of_generator["adversarial"], class_loss(built.discriminator(fake), GENUINE))

    of_discriminator = stage.discriminator_losses(shared)
    both = class_loss(built.discriminator(real), GENUINE) + class_loss(built.discriminator(fake), GENERATED)
    torch.testing.assert_close(of_discriminator["adversarial"], both / 2)
    of_discriminator["adversarial"].backward()
    assert fake.grad is None


@pytest.mark.training
def test_a_few_steps_lower_the_first_frame_error(play: Play):
    built, clips = model(width=8, learning_rate=1e-3, l1_weight=100.0), pictures(2)
    stage, optimizers = stage_of(built), {}
    history = [float(play(stage, clips, optimizers)["generator"]["first_frame"]) for _ in range(15)]
    assert history[-1] < 0.8 * history[0]


def test_settings_reach_adam():
    built = model(learning_rate=1e-3, beta1=0.3)
    defaults = stage_of(built).players[0].optimizer(built.discriminator.parameters()).defaults
    assert (defaults["lr"], defaults["betas"]) == (1e-3, (0.3, 0.999))
    with pytest.raises(BenchError, match="32 frames, not 16"):
        VGAN(64, 16)
