from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.adversarial import EndsConv3d, EndsConvTranspose3d, EndsToPixels, ToPixels
from bench.cli.main import main
from bench.data.clips import build_manifest
from bench.data.predictions import Predictions
from bench.data.readers.video import read_strip
from bench.data.samples import sampled
from bench.engine.generate import PublishedModel, for_generation, generate, generate_published, keep_parts
from bench.engine.model_factory import build
from bench.errors import BenchError
from bench.files import read_json
from bench.interface import VideoModel
from mdgan.authors_checkpoints import GENERATOR_LAYERS, PublishedMDGAN
from mdgan.cpu_layers import (
    DeepConv3d,
    DeepConvTranspose3d,
    DeepEndsConv3d,
    DeepEndsConvTranspose3d,
    WholeConv3d,
    WholeConvTranspose3d,
)
from mdgan.networks import STAGE1_SKIPS, Generator
from tests.engine.test_network_transforms import folded
from tests.support.small import Noisy, make_sky


def stirred(network: nn.Module) -> nn.Module:
    """A network whose statistics, norms and biases are not the initial ones."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for values, low, high in ((layer.running_mean, -0.2, 0.2), (layer.running_var, 0.5, 1.5)):
                nn.init.uniform_(values, low, high)  # type: ignore[arg-type]
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return network


def norms(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("name", ["mdgan", "vgan", "rnngan"])
def test_a_model_made_ready_to_generate_makes_the_same_videos(
    name: str, padding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    width = {"mdgan": 2, "vgan": 4, "rnngan": 16}[name]  # of few channels all may be dead
    options = {"width": width} | ({} if name == "rnngan" else {"time_padding": padding})
    plain, ready = (stirred(build(name, options, 64, seed=1)).eval() for _ in range(2))
    ready.load_state_dict(plain.state_dict())
    judges = sum(norms(network) for key, network in ready.named_children() if "discriminator" in key)
    for_generation(ready)  # type: ignore[arg-type]
    assert norms(ready) == judges > 0  # all of the networks that make videos, none of the others
    first = torch.rand(2, 3, 64, 64) * 2 - 1
    video = plain.predict(first)
    assert video.std() > 1e-3
    torch.testing.assert_close(ready.predict(first), video, rtol=0, atol=1e-5)
    assert not capsys.readouterr().err


class InParts(VideoModel):
    """Runs the layers of its chain one by one, as a model of somebody else may."""

    rows = ("parts",)

    def __init__(self, how: str) -> None:
        super().__init__(8, 4)
        torch.manual_seed(0)
        self.chain = stirred(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh()))
        self.how, self.runs = how, 0

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> dict[str, Tensor]:
        self.runs += 1
        noise = torch.rand(1) if self.how == "draws" else 0
        before = self.chain[0](first_frames)
        if self.how == "asks":
            before = before - self.chain[1].running_mean[:, None, None]
        after = self.chain[1:](before) if self.how == "whole" else self.chain[1:](before) + before / 4
        return dict.fromkeys(rows, (after + noise).unsqueeze(2).expand(-1, -1, 4, -1, -1))

    def parts(self, first_frames: Tensor) -> dict[str, Tensor]:
        return {"first": self.chain[0](first_frames).unsqueeze(2)} if self.how == "whole" else {}


@pytest.mark.parametrize(
    ("how", "message"),
    [("adds", "folding changes its videos by up to 0."), ("asks", "the model fails (AttributeError"), ("whole", "0.")],
)
def test_a_model_that_folding_would_change_is_not_folded(
    how: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, ready = InParts(how).eval(), InParts(how)
    for_generation(ready)
    warning = capsys.readouterr().err
    assert "InParts: batch norms cannot be folded into convolutions" in warning
    assert message in warning
    first = torch.rand(2, 3, 8, 8) * 2 - 1
    assert torch.equal(ready.predict(first), plain.predict(first))
    assert torch.equal(ready.chain[0](first), plain.chain[0](first))


def test_a_model_is_tried_only_where_something_is_folded_and_draws_nothing_from_the_generators() -> None:
    model = InParts("draws")
    state = torch.random.get_rng_state()
    for_generation(model)
    assert model.runs == 2
    assert torch.equal(torch.random.get_rng_state(), state)
    bare = InParts("adds")
    bare.chain[1] = nn.Identity()
    for_generation(bare)
    assert bare.runs == 0


def test_norms_of_batch_statistics_and_of_training_are_not_folded() -> None:
    chain = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), nn.Conv3d(2, 2, 1), nn.BatchNorm3d(2)).eval()
    chain[3].running_mean = chain[3].running_var = None
    chain[3].track_running_stats = False
    folded(chain)
    assert [type(layer).__name__ for layer in chain] == ["Conv3d", "Identity", "Conv3d", "BatchNorm3d"]
    assert norms(folded(nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2)).train())) == 1


def test_layers_that_are_products_of_matrices_are_convolutions() -> None:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"kernel_size": (2, 4, 4)}
    halves = {"kernel_size": 4, "stride": 2, "padding": 1}
    flat = {"kernel_size": (3, 4, 4), "stride": (1, 2, 2), "padding": 1}
    cases: list[tuple[Any, Any, dict[str, Any], tuple[int, ...]]] = [
        (WholeConv3d, nn.Conv3d, shape, (3, 4, 2, 4, 4)),
        (WholeConvTranspose3d, nn.ConvTranspose3d, shape, (3, 4, 1, 1, 1)),
        (ToPixels, nn.ConvTranspose3d, flat, (2, 4, 5, 3, 6)),
        (ToPixels, nn.ConvTranspose3d, halves, (2, 4, 5, 3, 6)),
        (EndsToPixels, EndsConvTranspose3d, flat, (2, 4, 5, 3, 6)),
        (EndsToPixels, EndsConvTranspose3d, halves, (2, 4, 5, 3, 6)),
        (DeepConv3d, nn.Conv3d, halves, (3, 4, 4, 6, 8)),
        (DeepEndsConv3d, EndsConv3d, halves, (3, 4, 4, 6, 8)),
        (DeepConvTranspose3d, nn.ConvTranspose3d, halves, (3, 4, 2, 3, 4)),
        (DeepEndsConvTranspose3d, EndsConvTranspose3d, halves, (3, 4, 2, 3, 4)),
    ]
    for ours, torch_layer, settings, size in cases:
        for bias in (False, True):
            fast, plain = (kind(4, 3, bias=bias, **settings).double() for kind in (ours, torch_layer))
            fast.load_state_dict(plain.state_dict())
            x = torch.randn(size, dtype=torch.float64)
            torch.testing.assert_close(fast(x), plain(x))
            with torch.no_grad():
                torch.testing.assert_close(fast(x), plain(x))


def published(path: Path, seed: int) -> Path:
    """A checkpoint of width 4 under the published names."""
    torch.manual_seed(seed)
    network = stirred(Generator(4, 128, STAGE1_SKIPS))
    published_names = {ours: name for name, ours in GENERATOR_LAYERS.items()}
    state = {}
    for name, tensor in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if kind != "num_batches_tracked":
            state[f"{published_names[layer]}.{kind}"] = tensor
    torch.save(state, path)
    return path


def test_published_checkpoints_are_run_and_say_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sky(tmp_path / "sky", train=1, test=2, size=128)
    files = [published(tmp_path / f"netG_S{stage}.pth", stage) for stage in (1, 2)]
    flags = ["--published-s1", str(files[0]), "--published-s2", str(files[1]), "--data-root", str(root)]
    videos = {}
    for mode in ("running", "batch"):
        out = tmp_path / mode
        command = ["generate", "--model", "mdgan", *flags, "--batch-norm", mode, "--out", str(out), "--device", "cpu"]
        monkeypatch.setattr("sys.argv", ["bench", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        rows = ["mdgan-published-1", "mdgan-published-2"]
        assert capsys.readouterr().out.split() == [str(out / row) for row in rows]
        for row in rows:
            made_by = read_json(out / row / "manifest.json")["made_by"]
            assert made_by["batch_norm"] == mode
            assert len(made_by["checkpoints"]) == 2
        videos[mode] = Predictions(out / rows[1])
    id = videos["running"].ids[0]
    assert np.abs(videos["running"].read(id).astype(int) - videos["batch"].read(id)).max() > 1
    # Folding and layouts aside, that is the published model.
    (clip,) = [clip for clip in build_manifest("sky", root, ("test",)).clips if clip.id == id]
    first = torch.from_numpy(clip.read(root, 128, frames=1)).permute(0, 3, 1, 2).float() / 127.5 - 1
    model = PublishedMDGAN(stage1=files[0], stage2=files[1], batch_norm="batch")
    expected = ((model.predict(first)[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5 + 0.5).astype(int)
    assert np.abs(videos["batch"].read(id) - expected).max() <= 1


def test_published_checkpoints_that_are_not_given_get_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "mdgan", "--published-s1", str(tmp_path / "a"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["bench", "generate", *flags])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "need --model, --published-s1 and --published-s2" in capsys.readouterr().err
    files = PublishedModel("vgan", tmp_path / "a", tmp_path / "b")
    with pytest.raises(BenchError, match="no published model 'vgan'"):
        generate_published(files, tmp_path, None, "cpu")  # type: ignore[arg-type]


def test_parts_make_the_video(sky: Path, tmp_path: Path) -> None:
    model = stirred(build("vgan", {"width": 4}, 64)).eval()
    with torch.no_grad():
        for head in (model.generator.background[-2], model.generator.foreground[0], model.generator.mask[0]):
            head.weight.mul_(50)  # new weights paint grey in grey
    clips = build_manifest("sky", sky, ("test",)).clips[:1]
    keep_parts(model, clips, sky, tmp_path / "parts", "cpu")  # type: ignore[arg-type]
    generate(model, {"vgan": tmp_path / "vgan"}, clips, sky, {"model": "vgan"})  # type: ignore[arg-type]
    names = {path.name for path in (tmp_path / "parts").iterdir()}
    assert names == {f"{clips[0].id}__{part}.png" for part in ("background", "foreground", "mask")}
    part = {path.stem.rpartition("__")[2]: read_strip(path).astype(float) for path in (tmp_path / "parts").iterdir()}
    assert (part["mask"] == part["mask"][..., :1]).all()  # grey
    mask = part["mask"] / 255
    made = mask * part["foreground"] + (1 - mask) * part["background"]
    video = Predictions(tmp_path / "vgan").read(clips[0].id)
    assert video.std() > 10
    assert np.abs(made - video).max() <= 2  # each part is rounded to 8 bits


def test_a_model_without_parts_keeps_none(sky: Path, tmp_path: Path) -> None:
    clips = build_manifest("sky", sky, ("test",)).clips[:1]
    keep_parts(build("copy", {}, 64), clips, sky, tmp_path / "parts", "cpu")
    assert not (tmp_path / "parts").exists()


def test_samples_of_a_model_that_draws_are_resumed_and_the_first_is_what_it_was(sky: Path, tmp_path: Path) -> None:
    model, clips = Noisy(64, 4).eval(), build_manifest("sky", sky, ("test",)).clips
    generate(model, {"noisy": tmp_path / "one"}, clips, sky, {"model": "noisy"})
    generate(model, {"noisy": tmp_path / "three"}, clips, sky, {"model": "noisy"}, samples=3)
    one, *three = [Predictions(tmp_path / "one"), *sampled(Predictions(tmp_path / "three"), [c.id for c in clips])]
    assert "samples" not in one.manifest["made_by"]
    assert three[0].manifest["made_by"]["samples"] == 3
    for clip in clips:
        names = [path.stat().st_ino for path in (tmp_path / "three").glob(f"{clip.id}*.png")]
        assert len(names) == 3
        assert one.path(clip.id).read_bytes() == three[0].path(clip.id).read_bytes()
        assert len({sample.sha256(clip.id) for sample in three}) == 3
    kept = (tmp_path / "three" / f"{clips[0].id}@1.png").stat().st_ino
    (tmp_path / "three" / "manifest.json").write_text(
        (tmp_path / "three" / "manifest.json").read_text().replace('"complete": true', '"complete": false')
    )
    lost = tmp_path / "three" / f"{clips[0].id}@2.png"
    content = lost.read_bytes()
    lost.unlink()
    generate(model, {"noisy": tmp_path / "three"}, clips, sky, {"model": "noisy"}, samples=3)
    assert lost.read_bytes() == content
    assert (tmp_path / "three" / f"{clips[0].id}@1.png").stat().st_ino == kept
    with pytest.raises(BenchError, match="differing: samples"):
        generate(model, {"noisy": tmp_path / "three"}, clips, sky, {"model": "noisy"})


def test_a_deterministic_model_makes_one_video_however_many_are_asked_for(sky: Path, tmp_path: Path) -> None:
    clips = build_manifest("sky", sky, ("test",)).clips
    for samples in (1, 5):
        generate(
            build("copy", {}, 64), {"copy": tmp_path / str(samples)}, clips, sky, {"model": "copy"}, samples=samples
        )
    written = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("1", "5")]
    assert written[0] == written[1]
