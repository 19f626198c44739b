"""What every registered model must do, ours and anybody's: the promises of `bench.interface`.

A model is built at the smallest size that it exists for and, where it has a width, as narrow as it can be with all its
layers alive. A test of one model's file says only what is that model's own.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from bench.data.clips import FRAMES, build_manifest
from bench.data.predictions import Predictions
from bench.engine import checkpoints
from bench.engine.generate import generate
from bench.engine.model_factory import build, option_names, result_rows
from bench.engine.training_step import make_optimizers, train_step
from bench.errors import BenchError
from bench.interface import Player, Stage, VideoModel
from bench.registry import MODELS

#: "tint" is a third party's (`tests.support.small`), registered by the fixture of that name.
NAMES = [*MODELS, "tint"]
WIDTH = 4

pytestmark = pytest.mark.usefixtures("tint")


def options(name: str) -> dict[str, int]:
    return {"width": WIDTH} if "width" in option_names(MODELS.load(name)) else {}


def size(name: str) -> int:
    return (*MODELS.load(name).resolutions, 16)[0]


def fresh(name: str, seed: int = 3) -> VideoModel:
    return build(name, options(name), size(name), seed)


def stirred(name: str, seed: int = 3) -> VideoModel:
    """A model ready to predict whose batch-norm statistics are not the initial ones."""
    model = fresh(name, seed)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


def first_frames(name: str, count: int) -> Tensor:
    return torch.rand(count, 3, size(name), size(name)) * 2 - 1


def clips(name: str, count: int = 2) -> Tensor:
    """Coarse random pictures that fade into others, `[count, 3, 32, size, size]` in [-1, 1]."""
    corners = torch.rand(count, 3, 2, 4, 4) * 2 - 1
    return nn.functional.interpolate(corners, (FRAMES, size(name), size(name)), mode="trilinear", align_corners=True)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def changed(before: Mapping[str, Tensor], module: nn.Module) -> set[str]:
    return {key for key, value in module.state_dict().items() if not torch.equal(before[key], value)}


def stages(model: VideoModel) -> Iterator[tuple[Stage, dict[str, str]]]:
    """Each stage, and to which of its players every tensor of the model belongs."""
    for stage in model.stages():
        owners = {}
        for player in stage.players:
            its = {id(tensor) for tensor in player.network.state_dict(keep_vars=True).values()}
            owners |= {key: player.name for key, value in model.state_dict(keep_vars=True).items() if id(value) in its}
        yield stage, owners


def test_no_two_models_make_a_row_of_one_name() -> None:
    rows = [row for name in NAMES for row in result_rows(name)]
    assert len(rows) == len(set(rows)) >= len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_stages_make_the_models_rows_in_their_order(name: str) -> None:
    made = fresh(name)
    assert made.rows == result_rows(name)
    found = list(made.stages())
    assert [stage.row for stage in found] in ([], list(made.rows))
    assert len({stage.name for stage in found}) == len(found)
    within = {id(module) for module in made.modules()}
    networks = []
    for stage in found:
        names = [player.name for player in stage.players]
        assert list(stage.modules()) == names
        assert len(set(names)) == len(names) >= 1
        assert names[-1] == "generator"  # after those who judge it
        networks += [id(player.network) for player in stage.players]
        assert all(id(module) in within for player in stage.players for module in player.frozen)
    assert len(set(networks)) == len(networks)  # what one player moves, no other does
    assert set(networks) <= within


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_a_model_does_not_exist_for_are_refused(name: str) -> None:
    model = MODELS.load(name)
    for wrong in (-1, size(name) - 1) if model.resolutions else (-1, 0):
        with pytest.raises(BenchError, match=rf"pixels, not {wrong}|resolution, not {wrong}"):
            model(resolution=wrong, frames=FRAMES)
    with pytest.raises(BenchError, match="frames, not 0"):
        model(resolution=size(name), frames=0)
    if model.resolutions:
        with pytest.raises(BenchError, match=f"supports {size(name)}×{size(name)}"):
            build(name, {}, size(name) - 1)


@pytest.mark.parametrize("name", NAMES)
def test_options_that_a_model_does_not_have_are_refused(name: str) -> None:
    with pytest.raises(BenchError, match="has no option 'widht'" + (r".*Did you mean 'width'" * bool(options(name)))):
        build(name, {"widht": 4}, size(name))
    for option in options(name):
        with pytest.raises(BenchError, match=f"{option}, not 0"):
            build(name, {option: 0}, size(name))


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_predicted_is_refused(name: str) -> None:
    model, right = stirred(name), first_frames(name, 1)
    side = size(name)
    for wrong in (right[0], right[:, :1], right[:, :, 1:], torch.zeros(1, 3, side + 1, side + 1)):
        with pytest.raises(BenchError, match=rf"\[N, 3, {side}, {side}\], not"):
            model.predict(wrong)
    with pytest.raises(BenchError, match=rf"no result row '{model.rows[0]}x'.*Did you mean '{model.rows[0]}'"):
        model.predict(right, f"{model.rows[0]}x")
    with pytest.raises(BenchError, match=r"training mode.*eval"):
        model.train().predict(right)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_videos_of_each_clip_alone(name: str) -> None:
    model, first = stirred(name), first_frames(name, 3)
    original, weights = first.clone(), state(model)
    with torch.inference_mode():
        for row in model.rows:
            together = model.predict(first, row)
            assert together.shape == (3, 3, FRAMES, size(name), size(name))
            assert together.dtype == torch.float32
            assert together.abs().max() <= 1
            assert not torch.equal(together[0], together[1])
            assert torch.equal(model.predict(first, row), together)
            alone = torch.cat([model.predict(first[n : n + 1], row) for n in range(3)])
            # The same sums in another order: float32 rounding and nothing else.
            torch.testing.assert_close(alone, together, rtol=0, atol=2e-5)
        assert torch.equal(model.predict(first), together)  # the last row is the model's best word
    assert torch.equal(first, original)
    assert not changed(weights, model)


@pytest.mark.parametrize("name", NAMES)
def test_frames_after_the_first_change_no_prediction(name: str, sky: Path, tmp_path: Path) -> None:
    root = tmp_path / "noisy"
    shutil.copytree(sky, root)
    rng = np.random.default_rng(0)
    for frame in root.rglob("*.jpg"):
        if frame.name != "frame_1.jpg":
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(frame)
    model = stirred(name)
    for place, data in (("plain", sky), ("noise", root)):
        manifest = build_manifest("sky", data, ("test",))
        folders = {row: tmp_path / place / row for row in model.rows}
        generate(model, folders, manifest.clips, data, {"model": name})
    for row in model.rows:
        plain, noise = Predictions(tmp_path / "plain" / row), Predictions(tmp_path / "noise" / row)
        assert plain.ids == noise.ids
        for id in plain.ids:
            assert plain.path(id).read_bytes() == noise.path(id).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_videos_too(name: str) -> None:
    first = first_frames(name, 2)
    for part, video in stirred(name).parts(first).items():
        assert re.fullmatch("[a-z_]+", part)
        assert video.shape[0] == 2
        assert video.shape[2:] == (FRAMES, size(name), size(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_weights(name: str) -> None:
    one, same, other = (fresh(name, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    weights = [key for key in one if key.endswith("weight")]
    assert not weights or any(not torch.equal(one[key], other[key]) for key in weights)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_the_model_back_and_no_other(name: str, tmp_path: Path) -> None:
    model, first, path = stirred(name), first_frames(name, 1), tmp_path / "model.pt"
    account = {"model": name, "options": options(name), "resolution": size(name), "frames": FRAMES, "seed": 3}
    checkpoints.save(path, {**account, "weights": model.state_dict()})
    loaded, found = checkpoints.load_model(path, name, size(name))
    assert found["seed"] == 3
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert not changed(model.state_dict(), loaded)
    assert torch.equal(loaded.predict(first), model.predict(first))
    another = next(other for other in NAMES if other != name)
    with pytest.raises(BenchError, match=f"its model is '{name}', expected '{another}'"):
        checkpoints.load_model(path, another)


def play_alone(stage: Stage, player: Player, batch: Tensor) -> dict[str, Tensor]:
    """One step of one player, as the training loop does it."""
    optimizer = make_optimizers(stage)[player.name]
    shared = stage.forward(batch)
    for module in player.frozen:
        module.requires_grad_(False)
    losses = player.loss(shared)
    torch.stack(list(losses.values())).sum().backward()
    for module in player.frozen:
        module.requires_grad_(True)
    optimizer.step()
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_each_player_moves_its_own_network_only(name: str) -> None:
    model, batch = fresh(name), clips(name)
    parameters = {key for key, _ in model.named_parameters()}
    for stage, owners in stages(model):
        for player in stage.players:
            before = state(model.train())
            losses = play_alone(stage, player, batch)
            assert losses
            # No gradient is computed for another's weights, nor left there.
            reached = {key for key, parameter in model.named_parameters() if parameter.grad is not None}
            assert {owners.get(key) for key in reached} == {player.name}
            model.zero_grad(set_to_none=True)
            for term, value in losses.items():
                assert re.fullmatch("[a-z_0-9]+", term)
                assert value.shape == ()
                assert value.isfinite()
            moved = changed(before, model) & parameters
            assert moved
            assert {owners.get(key) for key in moved} == {player.name}


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_leaves_the_networks_of_the_others_bit_for_bit(name: str) -> None:
    model, batch = fresh(name), clips(name)
    for stage, owners in stages(model):
        before = state(model.train())  # batch statistics too: the loop says `train` to all
        losses = train_step(stage, make_optimizers(stage), batch)
        assert {term.partition("/")[0] for term in losses} == {player.name for player in stage.players}
        assert changed(before, model) <= set(owners)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_trains_its_own_networks(name: str) -> None:
    model = fresh(name)
    other, before, batch = copy.deepcopy(model), state(model), clips(name, 1)
    for stage in other.train().stages()[:1]:
        train_step(stage, make_optimizers(stage), batch)
        assert changed(before, other)
    assert not changed(before, model)
