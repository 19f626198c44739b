from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.errors import BenchError
from mdgan.authors_checkpoints import GENERATOR_LAYERS, PublishedMDGAN, load_generator
from mdgan.model import repeat
from mdgan.networks import Generator


def published(network: Generator) -> dict[str, Tensor]:
    """A network's tensors under the published names, as PyTorch 0.3 saved them (no counters)."""
    published_names = {ours: name for name, ours in GENERATOR_LAYERS.items()}
    state = OrderedDict()
    for name, tensor in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if kind != "num_batches_tracked":
            state[f"{published_names[layer]}.{kind}"] = tensor.clone()
    return state


def generator(seed: int, width: int = 2) -> Generator:
    torch.manual_seed(seed)
    built = Generator(width, 128)
    built(torch.rand(1, 3, 32, 128, 128))  # moves the running statistics off their defaults
    return built.eval()


@pytest.fixture(scope="module")
def checkpoints() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return published(generator(1)), published(generator(2))


Checkpoints = tuple[dict[str, Tensor], dict[str, Tensor]]


def test_names_are_the_published_ones(checkpoints: Checkpoints):
    names = set(checkpoints[0])
    assert {"downConv1.weight", "downConv6.weight", "upConv1.weight", "upConv6.weight"} <= names
    assert {"downBN2.running_var", "downBN5.bias", "upBN1.running_mean", "upBN5.weight"} <= names
    assert len(names) == 12 + 4 * 9


@pytest.mark.parametrize("old_format", [True, False])
def test_a_file_gives_back_the_network(tmp_path: Path, old_format: bool):
    original = generator(1)
    torch.save(
        published(original),
        tmp_path / "g.pth",
        _use_new_zipfile_serialization=not old_format,
    )
    loaded = load_generator(tmp_path / "g.pth", 1)
    assert not loaded.training
    x = repeat(torch.rand(1, 3, 128, 128))
    with torch.no_grad():
        assert torch.equal(loaded(x), original(x))
    assert load_generator(str(tmp_path / "g.pth"), 2).skips == {3, 4, 5}


def test_numpy_arrays_counters_prefixes_and_other_widths_are_accepted():
    original = generator(3, width=3)
    state = {f"module.{k}": v.numpy() for k, v in published(original).items()}
    state["module.upBN1.num_batches_tracked"] = np.zeros((), np.int64)
    loaded = load_generator(state, 1)
    assert loaded.conv6.in_channels == 48
    for name, tensor in original.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(loaded.state_dict()[name], tensor)


def test_the_network_does_not_share_its_sources_memory(checkpoints: Checkpoints):
    source = {name: tensor.clone() for name, tensor in checkpoints[0].items()}
    loaded = load_generator(source, 1)
    with torch.no_grad():
        loaded.conv1.weight.zero_()
    assert source["downConv1.weight"].any()
    assert loaded.conv1.weight.requires_grad


def test_wrong_files_are_named_and_refused(tmp_path: Path):
    wrong = tmp_path / "wrong.pth"
    with pytest.raises(BenchError, match=r"wrong\.pth' is not a file"):
        load_generator(wrong, 1)
    wrong.write_text("\n<!DOCTYPE html><html>Quota exceeded</html>")
    with pytest.raises(BenchError, match=r"wrong\.pth' is a web page"):
        load_generator(wrong, 1)
    for content in (b"", b"not a checkpoint at all", b"PK\x03\x04 torn"):
        wrong.write_bytes(content)
        with pytest.raises(BenchError, match=r"wrong\.pth' cannot be read"):
            load_generator(wrong, 1)
    torch.save([1, 2], wrong)
    with pytest.raises(BenchError, match="contains a list"):
        load_generator(wrong, 1)
    torch.save({"epoch": 3}, wrong)
    with pytest.raises(BenchError, match="'epoch', which is not a tensor"):
        load_generator(wrong, 1)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not run",))


def test_code_in_a_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save({"downConv1.weight": Harmful()}, tmp_path / "bad.pth")
    with pytest.raises(BenchError, match="cannot be read"):
        load_generator(tmp_path / "bad.pth", 1)
    assert capsys.readouterr().out == ""


def test_wrong_tensors_are_named(checkpoints: Checkpoints):
    state = checkpoints[0]
    without = {name: tensor for name, tensor in state.items() if name != "upBN3.running_var"}
    with pytest.raises(BenchError, match=r"has no tensor 'upBN3\.running_var'"):
        load_generator(without, 1)
    with pytest.raises(BenchError, match=r"unknown tensor 'upConv7\.weight'"):
        load_generator({**state, "upConv7.weight": torch.zeros(1)}, 1)
    with pytest.raises(BenchError, match=r"'downBN2\.bias' is \[5\] where \[4\]"):
        load_generator({**state, "downBN2.bias": torch.zeros(5)}, 1)
    with pytest.raises(BenchError, match=r"'downConv1\.weight' is \[2, 3\], expected \[width, 3, 3, 4, 4\]"):
        load_generator({**state, "downConv1.weight": torch.zeros(2, 3)}, 1)
    with pytest.raises(BenchError, match=r"has no tensor 'downConv1\.weight'"):
        load_generator({}, 1)
    with pytest.raises(BenchError, match="stages 1 and 2, not 3"):
        load_generator(state, 3)


def test_a_discriminator_is_not_taken_for_a_generator():
    with pytest.raises(BenchError, match="is not the Stage I generator: it contains a discriminator"):
        load_generator({"slice1.0.weight": torch.zeros(1, 3, 3, 4, 4)}, 1)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_published_model_runs_both_stages_and_keeps_clips_apart(checkpoints: Checkpoints, batch_norm: str):
    model = PublishedMDGAN(stage1=checkpoints[0], stage2=checkpoints[1], batch_norm=batch_norm).eval()
    torch.manual_seed(4)
    x = torch.rand(2, 3, 128, 128) * torch.tensor([1.0, 0.2]).reshape(2, 1, 1, 1)
    together = model.predict(x)
    torch.testing.assert_close(model.predict(x[1:])[0], together[1], rtol=0, atol=1e-5)

    one, two = load_generator(checkpoints[0], 1), load_generator(checkpoints[1], 2)
    for network in (one, two):
        network.train(batch_norm == "batch")
    with torch.no_grad():
        first = one(repeat(x[:1]))
        second = two(first)
    torch.testing.assert_close(model.predict(x[:1], "mdgan-published-1"), first, rtol=0, atol=1e-5)
    torch.testing.assert_close(together[:1], second, rtol=0, atol=1e-5)
    assert model.stages() == ()


def test_the_two_batch_norms_differ_and_predicting_changes_nothing(checkpoints: Checkpoints):
    videos = []
    for batch_norm in ("running", "batch"):
        model = PublishedMDGAN(stage1=checkpoints[0], stage2=checkpoints[1], batch_norm=batch_norm)
        x = torch.full((1, 3, 128, 128), 0.5)
        videos.append(model.predict(x))
        assert torch.equal(model.predict(x), videos[-1])
    assert (videos[0] - videos[1]).abs().max() > 1e-3
    with pytest.raises(BenchError, match="Did you mean 'batch'"):
        PublishedMDGAN(stage1=checkpoints[0], stage2=checkpoints[1], batch_norm="bath")
    with pytest.raises(BenchError, match="128 pixels, not 64"):
        PublishedMDGAN(64, 32, stage1=checkpoints[0], stage2=checkpoints[1])
