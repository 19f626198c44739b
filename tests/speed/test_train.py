from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.conv import _ConvNd

from bench.data import workers
from bench.data.batches import to_tensor
from bench.engine.model_factory import build
from bench.files import read_json
from bench.registry import FAST
from bench.speed import train as speed_train
from bench.speed.interleaved_timing import compare_rates, in_turns, keep
from bench.speed.train import StageTraining, TrainingSetup, TrainingSpeedOptions, difference, follow, measure_training
from mdgan.model import repeat
from mdgan.networks import STAGE1_SKIPS, Generator
from mdgan.plain_reference import PlainMDGAN
from tests.support.processes import CONTEXT

WIDTHS = {"mdgan": 2, "vgan": 4, "rnngan": 4}


@pytest.mark.training
@pytest.mark.parametrize("name", list(WIDTHS))
def test_our_step_has_the_losses_of_the_plain_loop(name: str) -> None:
    setting = TrainingSetup(name, WIDTHS[name], 64, 2)
    ours, plain = setting.build(plain=False), setting.build(plain=True)
    for our_stage, plain_stage in zip(ours.stages(), plain.stages(), strict=True):
        fast, slow = StageTraining(setting, our_stage, plain=False), StageTraining(setting, plain_stage, plain=True)
        for _ in range(5):  # each from the same weights
            fast.step()
            slow.step()
            follow(slow, fast)
        scale = np.maximum(1, np.abs(fast.losses))  # of weighted terms in the hundreds, float32 has six digits too
        assert np.max(np.abs(np.subtract(fast.losses, slow.losses)) / scale) < 1e-4
        assert np.ptp(fast.losses, axis=0).min() > 1e-4  # that was a training
        plain.load_state_dict(ours.state_dict())


@pytest.mark.training
@pytest.mark.parametrize("name", ["mdgan", "vgan"])
def test_left_alone_both_sides_stay_together_in_float64(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_train, "to_tensor", lambda frames, device: to_tensor(frames, device).double())
    setting = TrainingSetup(name, 2, 64, 2)
    ours, plain = setting.build(plain=False).double(), setting.build(plain=True).double()
    for our_stage, plain_stage in zip(ours.stages(), plain.stages(), strict=True):
        fast, slow = StageTraining(setting, our_stage, plain=False), StageTraining(setting, plain_stage, plain=True)
        for _ in range(2):
            fast.step()
            slow.step()
        assert difference(fast.losses, slow.losses) < 1e-9
        assert fast.losses[0] != fast.losses[-1]
        # Running statistics differ, as the plain loop runs the generator twice; the next stage evaluates with them.
        plain.load_state_dict(ours.state_dict())


@pytest.mark.heavy
@pytest.mark.parametrize(("resolution", "count"), [(64, 2), (128, 1)])
def test_an_image_is_a_still_video_to_the_generator(resolution: int, count: int) -> None:
    torch.manual_seed(0)
    generator = Generator(1, resolution, STAGE1_SKIPS).double()
    image = torch.rand(count, 3, 1, resolution, resolution, dtype=torch.float64, requires_grad=True)
    target = torch.rand(count, 3, 32, resolution, resolution, dtype=torch.float64)
    gradients = []
    for training in (True, False):
        generator.train(training)
        for video in (image, repeat(image[:, :, 0])):
            made = generator(video)
            loss = (made - target).square().mean()
            gradients.append([made, *torch.autograd.grad(loss, [image, *generator.parameters()])])
    for short, whole in (gradients[:2], gradients[2:]):
        for one, other in zip(short, whole, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10)


def test_plain_mdgan_makes_the_same_videos() -> None:
    ours = build("mdgan", {"width": 2}, 64).eval()
    plain = PlainMDGAN(64, 32, width=2).eval()
    plain.load_state_dict(ours.state_dict())
    first = torch.rand(2, 3, 64, 64) * 2 - 1
    for row in ours.rows:
        torch.testing.assert_close(ours.predict(first, row), plain.predict(first, row), rtol=0, atol=1e-5)


@pytest.mark.training
def test_every_faster_way_has_the_losses_of_the_plain_loop() -> None:
    ours = TrainingSetup("mdgan", 2, 64, 2, half=False, fast=FAST)
    sides = [(ours, False), (TrainingSetup("mdgan", 2, 64, 2), True)]
    fast, slow = (StageTraining(setting, setting.build(plain).stages()[1], plain=plain) for setting, plain in sides)
    for _ in range(3):
        fast.step()
        slow.step()
        follow(slow, fast)
    scale = np.maximum(1, np.abs(fast.losses))
    assert 0 < np.max(np.abs(np.subtract(fast.losses, slow.losses)) / scale) < 1e-2  # features were rounded to bf16


@pytest.mark.training
def test_rows_tell_speed_memory_and_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONTEXT", CONTEXT)
    rows = measure_training(["vgan"], TrainingSpeedOptions(resolution=64, width=2, batch=1, steps=1, device="cpu"))
    assert [row["what"].rpartition(": ")[2] for row in rows] == ["vgan step", "generation", "vgan peak memory"]
    for row in rows:
        assert list(row) == ["what", "ours", "other", "unit", "ratio", "max_abs_difference"]
        assert row["ours"] > 0
        assert row["max_abs_difference"] < 1e-3
    step, _, memory = rows
    assert step["ratio"] == pytest.approx(step["ours"] / step["other"])  # more clips a second are better
    assert memory["ratio"] == pytest.approx(memory["other"] / memory["ours"])  # less memory is
    assert 0.05 < memory["ours"] < 5


@pytest.mark.parametrize("name", ["vgan", "rnngan", "mdgan"])
def test_the_plain_side_has_pytorchs_own_layers(name: str) -> None:
    ours, plain = (TrainingSetup(name, 2, 64, 1).build(side) for side in (False, True))
    fast, own = ({type(layer) for layer in model.modules() if isinstance(layer, _ConvNd)} for model in (ours, plain))
    assert {kind.__module__ for kind in own} == {"torch.nn.modules.conv"}
    assert fast > own
    assert list(ours.state_dict()) == list(plain.state_dict())


def test_sides_take_turns_and_the_first_does_not_count() -> None:
    turns: list[str] = []
    ours, other = in_turns(lambda: turns.append("a"), lambda: turns.append("b"), 2, lambda: turns.append("|"))
    assert turns == list("ab|ab|ab|")
    assert ours >= 0
    assert other >= 0


def test_rows_are_kept_with_what_they_were_measured_on(tmp_path: Path) -> None:
    row = compare_rates("a step", "clips/s", 4, (1.0, 2.0), 0.5)
    assert row["ours"] == 4
    assert row["ratio"] == 2
    kept = read_json(keep("train", [row], tmp_path))
    assert kept["rows"] == [dict(row)]
    assert kept["packages"]["torch"]
    assert kept["threads"] == torch.get_num_threads()
