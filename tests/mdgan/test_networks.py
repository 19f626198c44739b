from __future__ import annotations

import copy
import importlib.util
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.adversarial import EndsConv3d, initialise
from bench.errors import BenchError
from mdgan.authors_checkpoints import load_generator
from mdgan.cpu_layers import over_still
from mdgan.networks import STAGE1_SKIPS, STAGE2_SKIPS, Discriminator, Generator
from tests.engine.test_network_transforms import folded
from tests.support.small import SHARED

REFERENCE = SHARED / "reference"
#: Layers of the published Stage II discriminator, and their names here.
DISCRIMINATOR_LAYERS = {
    "slice1.0": "blocks.0.0",
    "slice2.0": "blocks.1.0",
    "slice2.1": "blocks.1.1",
    "slice2.3": "blocks.2.0",
    "slice2.4": "blocks.2.1",
    "slice3.0": "blocks.3.0",
    "slice3.1": "blocks.3.1",
    "slice3.3": "blocks.4.0",
    "slice3.4": "blocks.4.1",
    "slice4.0": "head",
}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    """The script that makes the weights and clips of the parity fixtures."""
    path = REFERENCE / "recipe.py"
    if not path.is_file():
        pytest.skip(f"no parity fixtures in {REFERENCE}; set BENCH_REAL_DATA to the folder that has reference/")
    spec = importlib.util.spec_from_file_location("recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(recipe: ModuleType, network: str, seed: int) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = recipe.state_dict(REFERENCE / f"mdgan_{network}_width4.json", seed)
    return tensors


@pytest.fixture(scope="module")
def clips(recipe: ModuleType) -> Tensor:
    videos = torch.from_numpy(recipe.videos(11, 2, 32, 128, 128))
    return videos.permute(0, 4, 1, 2, 3).float() / 127.5 - 1


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_generators_return_what_the_published_ones_did(recipe: ModuleType, clips: Tensor, statistics: str):
    fixture = np.load(REFERENCE / "mdgan_width4.npz")
    video = clips[:, :, :1].expand(-1, -1, 32, -1, -1)
    for stage in (1, 2):
        generator = load_generator(weights(recipe, f"stage{stage}_generator", 10 + stage), stage)
        generator.train(statistics == "batch")
        with torch.no_grad():
            video = generator(video)
        expected = fixture[f"stage{stage}_{statistics}"]
        assert np.abs(expected).max() > 0.5
        np.testing.assert_allclose(video[:, :, ::4, ::8, ::8].numpy(), expected, rtol=0, atol=1e-4)


def test_discriminator_returns_what_the_published_one_did(recipe: ModuleType, clips: Tensor):
    fixture = np.load(REFERENCE / "mdgan_width4.npz")
    discriminator = Discriminator(4, 128).train()
    state = {}
    for name, values in weights(recipe, "stage2_discriminator", 13).items():
        layer, _, tensor = name.rpartition(".")
        state[f"{DISCRIMINATOR_LAYERS[layer]}.{tensor}"] = torch.from_numpy(np.array(values))
    missing, unexpected = discriminator.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing)  # PyTorch 0.3 did not count batches
    assert not unexpected
    with torch.no_grad():
        probability = torch.sigmoid(discriminator(clips)[0])
        first, third = discriminator.features(clips)
    np.testing.assert_allclose(probability[:, None], fixture["discriminator_probability"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(first[:, :, ::8, ::16, ::16], fixture["conv1_features"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(third[:, :, ::2, ::4, ::4], fixture["conv3_features"], rtol=0, atol=1e-4)


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_are_the_papers():
    with torch.device("meta"):
        assert count(Generator(32, 128, STAGE1_SKIPS)) == 39_072_576
        assert count(Generator(32, 128, STAGE2_SKIPS)) == 39_072_576
        assert count(Discriminator(32, 128)) == 11_164_032
        # Without the first layer: conv1, deconv6 and deconv5's norm go; conv2 and deconv5 change their 32 side to 3.
        removed = 2 * 32 * 3 * 48 + 2 * 32 + 2 * 64 * (32 - 3) * 64
        assert count(Generator(32, 64)) == 39_072_576 - removed
        assert count(Discriminator(32, 64)) == 11_164_032 - 32 * 3 * 48 - 64 * (32 - 3) * 64


@pytest.mark.parametrize("resolution", [64, 128])
def test_shapes_and_ranges(resolution: int):
    torch.manual_seed(0)
    generator, discriminator = Generator(2, resolution), Discriminator(2, resolution)
    x = torch.rand(1, 3, 32, resolution, resolution) * 2 - 1
    with torch.no_grad():
        video = generator(x)
        logits, (first, third) = discriminator(x)
    assert video.shape == x.shape
    assert video.abs().max() <= 1
    assert video.min() < 0 < video.max()  # a ReLU before the tanh would make all values positive
    assert logits.shape == (1,)
    wide = 2 if resolution == 128 else 4
    frames, size = (32, 64) if resolution == 128 else (16, 32)
    assert first.shape == (1, wide, frames, size, size)
    assert third.shape == (1, 4 * wide, frames // 4, size // 4, size // 4)


def test_features_are_those_of_the_full_pass_after_the_activation():
    torch.manual_seed(0)
    discriminator = Discriminator(2, 64).eval()
    x = torch.rand(2, 3, 32, 64, 64) * 2 - 1
    with torch.no_grad():
        for alone, along in zip(discriminator.features(x), discriminator(x)[1], strict=True):
            assert torch.equal(alone, along)
            # LeakyReLU: the negative side is five times flatter.
            assert alone.max() > 1.5 * -alone.min() > 0


@pytest.mark.parametrize(("resolution", "layers"), [(64, (2, 3, 4, 5)), (128, (1, 2, 3, 4, 5))])
def test_each_skip_reaches_the_output(resolution: int, layers: tuple[int, ...]):
    torch.manual_seed(0)
    full = Generator(2, resolution).eval()
    initialise(full)
    x = torch.rand(1, 3, 32, resolution, resolution) * 2 - 1
    outputs = []
    with torch.no_grad():
        for skips in (STAGE1_SKIPS, *(tuple(set(STAGE1_SKIPS) - {layer}) for layer in layers), ()):
            generator = Generator(2, resolution, skips).eval()
            generator.load_state_dict(full.state_dict())
            outputs.append(generator(x))
    for i, a in enumerate(outputs):
        for b in outputs[:i]:
            assert not torch.equal(a, b)


def test_without_its_outer_skips_the_refining_generator_never_sees_the_outer_maps():
    # Zeroed decoder input of deconv4 and deconv5: only a skip could still bring conv1's or conv2's map through.
    torch.manual_seed(0)
    for skips, passes in ((STAGE1_SKIPS, True), (STAGE2_SKIPS, False)):
        generator = Generator(2, 128, skips).eval()
        with torch.no_grad():
            generator.deconv4[0].weight.zero_()
            video = generator(torch.rand(1, 3, 32, 128, 128))
        assert video.any() == passes


def test_channels_last_gives_the_same_video():
    torch.manual_seed(0)
    generator = Generator(2, 64)
    x = torch.rand(2, 3, 32, 64, 64) * 2 - 1
    expected = generator(x)
    generator.to(memory_format=torch.channels_last_3d)
    video = generator(x.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(video, expected, rtol=0, atol=1e-5)
    video.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())


def test_wrong_settings_are_refused_in_a_sentence():
    with pytest.raises(BenchError, match="64 or 128 pixels, not 96"):
        Generator(2, 96)
    with pytest.raises(BenchError, match="64 or 128 pixels, not 32"):
        Discriminator(2, 32)
    with pytest.raises(BenchError, match="width, not 0"):
        Generator(0, 64)
    with pytest.raises(BenchError, match=r"layers 1 to 5, not \[6\]"):
        Generator(2, 64, (5, 6))


@pytest.mark.parametrize("resolution", [64, 128])
def test_repeated_ends_are_an_option_with_the_same_weights(resolution: int):
    torch.manual_seed(0)
    zeros, ends = (Generator(2, resolution, STAGE1_SKIPS, padding).eval() for padding in ("zeros", "replicate"))
    initialise(zeros)
    ends.load_state_dict(zeros.state_dict())
    image = torch.rand(1, 3, 1, resolution, resolution) * 2 - 1
    with torch.no_grad():
        jumpy, calm = zeros(image), ends(image)
        torch.testing.assert_close(ends(image.expand(-1, -1, 32, -1, -1)), calm, rtol=0, atol=1e-5)
    assert calm.shape == jumpy.shape == (1, 3, 32, resolution, resolution)
    # A still to which nothing has been learned stays one: no frame knows that it is the first.
    assert calm.diff(dim=2).abs().max() < 1e-5
    assert jumpy.diff(dim=2).abs().max() > 1e-3
    with torch.no_grad():  # as it is generated with, batch norms folded
        torch.testing.assert_close(folded(copy.deepcopy(ends))(image), calm, rtol=0, atol=1e-5)
    with pytest.raises(BenchError, match="Unknown padding in time: 'reflect'"):
        Generator(2, resolution, STAGE1_SKIPS, "reflect")


def test_what_becomes_of_a_still_may_be_changed_in_place():
    # As the activation behind it does, where a batch norm between them is folded away.
    layer = EndsConv3d(2, 3, 4, 2, 1, bias=False)
    with torch.no_grad():
        made = over_still(layer, torch.rand(1, 2, 1, 8, 8), 32)
        expected = made.relu()
        torch.testing.assert_close(torch.relu_(made), expected)
