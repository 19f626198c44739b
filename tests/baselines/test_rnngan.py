from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from baselines.rnngan import RNNGAN, ProductConv2d, ProductConvTranspose2d, RNNGANStage
from bench.adversarial import discriminator_loss, generator_loss
from bench.engine.gradient_check import poison_memory
from bench.engine.layer_check import difference
from bench.engine.network_transforms import estimating_statistics
from bench.errors import BenchError

Play = Callable[..., dict[str, dict[str, Tensor]]]


def pictures(count: int, frames: int = 32, seed: int = 0) -> Tensor:
    """Still random coarse pictures as clips, `[count, 3, frames, 64, 64]` in [-1, 1]."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    large = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    return large.unsqueeze(2).repeat(1, 1, frames, 1, 1)


def model(frames: int = 32, **options: object) -> RNNGAN:
    torch.manual_seed(0)
    return RNNGAN(64, frames, **{"width": 4, **options})  # type: ignore[arg-type]


def stage_of(built: RNNGAN) -> RNNGANStage:
    (stage,) = built.stages()
    assert isinstance(stage, RNNGANStage)
    return stage


def test_each_frame_is_made_from_the_one_before_and_the_memory():
    built = model(init="dcgan").eval()  # whose untrained frames are less alike
    first = pictures(2)[:, :, 0]
    video = built.predict(first)
    assert video.shape == (2, 3, 32, 64, 64)
    assert video.abs().max() <= 1
    net = built.generator
    with torch.no_grad():
        frame, memory = first, None
        for t in range(3):
            memory = net.cell(net.encoder(frame).flatten(1), memory)
            frame = net.decoder(memory[0][:, :, None, None])
            assert torch.equal(frame, video[:, :, t])
        # Without what the cell remembers, the third frame is another one.
        forgetful = net.decoder(net.cell(net.encoder(video[:, :, 1]).flatten(1))[0][:, :, None, None])
    assert not torch.allclose(forgetful, frame, atol=1e-6)


def test_a_change_of_the_first_frame_reaches_the_last():
    built = model().eval()
    first = pictures(1)[:, :, 0].requires_grad_()
    built.generator(first)[:, :, -1].square().mean().backward()
    assert first.grad is not None
    assert first.grad.any()


def test_running_statistics_cover_all_time_steps_and_serve_evaluation(play: Play):
    built, clips = model(learning_rate=2e-3, init="dcgan"), pictures(3)
    stage, optimizers = stage_of(built), {}
    for _ in range(4):
        play(stage, clips, optimizers)
    net, first = built.train().generator, clips[:, :, 0]
    norm, seen = net.decoder[1], []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean(dim=(0, 2, 3))))
    moving = built.eval().predict(first)  # with the statistics that training left
    seen.clear()
    net.train()
    with torch.no_grad(), estimating_statistics(net):
        trained = net(first)
    # One estimate for all steps, not the last steps' alone.
    assert len(seen) == 32
    torch.testing.assert_close(norm.running_mean, torch.stack(seen).mean(0), rtol=1e-4, atol=1e-6)
    assert norm.momentum == 0.1 / 32
    # Evaluation goes on from them without drifting off over its 32 steps.
    evaluated = built.eval().predict(first)
    # How far off it is after four steps depends on the processor: 0.15 to 0.25 of the video; 0.92 with the others.
    assert (evaluated - trained).abs().mean() < 0.5 * (moving - trained).abs().mean()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("geometry", [(4, 2, 1), (4, 1, 0), (3, 1, 1), (5, 3, 2)])
@pytest.mark.parametrize(
    ("kind", "size"), [(ProductConv2d, (8, 9)), (ProductConvTranspose2d, (1, 1)), (ProductConvTranspose2d, (4, 5))]
)
def test_products_of_matrices_are_convolutions(
    kind: type[nn.Module], size: tuple[int, int], geometry: tuple[int, int, int], batch: int, bias: bool
) -> None:
    torch.manual_seed(0)
    if kind is ProductConvTranspose2d and geometry == (3, 1, 1) and size == (1, 1):
        size = (2, 2)  # of one position nothing would be left
    layer = kind(5, 3, *geometry, bias=bias)
    x = (torch.rand(batch, *size, 5) * 2 - 1).permute(0, 3, 1, 2)  # not contiguous
    right = copy.deepcopy(layer).double()(x.double())  # with gradients: PyTorch's own
    for values in (x, x.contiguous()):
        poison_memory(largest=1 << 14)
        with torch.no_grad():
            assert difference(layer(values), right.detach()) < 1e-6


def test_fewer_frames_are_the_beginning_of_more():
    short, long = model(16).eval(), model(40).eval()
    long.generator.load_state_dict(short.generator.state_dict())
    first = pictures(1)[:, :, 0]
    assert torch.equal(short.predict(first), long.predict(first)[:, :, :16])


@pytest.mark.parametrize("frames", [16, 17, 32, 47])
def test_discriminator_gives_one_logit_a_clip(frames: int):
    with torch.no_grad():
        assert model(frames, width=1).discriminator(pictures(2, frames)).shape == (2,)


def test_losses_are_the_two_terms():
    built = model(16, reconstruction_weight=3.0)
    built.discriminator.eval()
    stage = stage_of(built)
    real, fake = pictures(2, 16, 1), pictures(2, 16, 2).requires_grad_()
    shared = {"real": real, "fake": fake}
    of_generator = stage.generator_losses(shared)
    assert set(of_generator) == {"adversarial", "reconstruction"}
    torch.testing.assert_close(of_generator["reconstruction"], 3 * ((fake - real) ** 2).mean())
    torch.testing.assert_close(of_generator["adversarial"], generator_loss(built.discriminator(fake)))
    of_discriminator = stage.discriminator_losses(shared)
    expected = discriminator_loss(built.discriminator(real), built.discriminator(fake))
    torch.testing.assert_close(of_discriminator["adversarial"], expected)
    of_discriminator["adversarial"].backward()
    assert fake.grad is None


@pytest.mark.training
def test_thirty_two_recursive_steps_train_stably(play: Play):
    built, clips = model(learning_rate=2e-3), pictures(2)
    stage, optimizers = stage_of(built), {}
    history = []
    for _ in range(12):
        history.append(float(play(stage, clips, optimizers)["generator"]["reconstruction"]))
        sizes = [p.grad.norm() for p in built.generator.parameters() if p.grad is not None]
        assert len(sizes) == len(list(built.generator.parameters()))
        assert torch.stack(sizes).isfinite().all()
    assert history[-1] < 0.9 * history[0]


def test_settings_reach_the_networks_and_adam():
    built = model(16, learning_rate=1e-3, beta1=0.3, hidden=5)
    assert built.generator.cell.hidden_size == 5
    assert model(16).generator.cell.hidden_size == 32
    defaults = stage_of(built).players[1].optimizer(built.generator.parameters()).defaults
    assert (defaults["lr"], defaults["betas"]) == (1e-3, (0.3, 0.999))
    with pytest.raises(BenchError, match="at least 16 frames, not 8"):
        RNNGAN(64, 8)
    with pytest.raises(BenchError, match="hidden, not 0"):
        RNNGAN(64, 32, hidden=0)
