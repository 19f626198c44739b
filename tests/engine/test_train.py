from __future__ import annotations

import copy
import dataclasses
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench.config import RunConfig, make_config
from bench.data.clips import build_manifest
from bench.data.packed_clips import Pack, pack
from bench.engine import checkpoints, devices
from bench.engine import train as training
from bench.engine.devices import make_fabric, prepare
from bench.engine.train import train
from bench.engine.training_log import read_log
from bench.engine.training_step import make_optimizers, seed_step, train_step
from bench.errors import BenchError
from tests.engine.distributed_worker import Flat, FlatStage
from tests.support.small import Tint, truncate

pytestmark = pytest.mark.training

SMALL = {"mdgan": {"width": 2}, "vgan": {"width": 4}, "rnngan": {"width": 4}, "tint": {}}


@pytest.fixture(scope="module")
def packs(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, Pack]:
    manifest = build_manifest("sky", sky)
    folder = tmp_path_factory.mktemp("packs")
    train_clips, val = (pack(manifest.split(split), manifest.root, 64, folder) for split in ("train", "val"))
    return train_clips, val


def config(name: str, **values: Any) -> RunConfig:
    small = {"steps": 4, "batch": 2, "validate_every": 2, "checkpoint_every": 1, "log_every": 1, "device": "cpu"}
    settings = {"preset": "smoke", "models": [name], "options": {name: SMALL[name]}, **small, **values}
    return make_config(settings, baseline=False)


def run(config: RunConfig, packs: tuple[Pack, Pack], folder: Path) -> dict[str, torch.Tensor]:
    final = train(config, config.models[0], config.seeds[0], *packs, folder, make_fabric("cpu"))
    weights: dict[str, torch.Tensor] = checkpoints.load(final)["weights"]
    return weights


def losses(folder: Path) -> list[list[str]]:
    return [row for row in read_log(folder / "training.csv") if row[3] != "clips_per_second"]


@pytest.mark.parametrize("name", ["mdgan", "vgan", "rnngan", "tint"])
def test_a_training_stopped_at_any_step_ends_as_if_it_were_not(
    name: str, packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tint: str
) -> None:
    chosen = config(name, steps=3)
    undisturbed = run(chosen, packs, tmp_path / "whole")
    stages = 2 if name == "mdgan" else 1
    for stop in range(1, 3 * stages + 1):  # in every step of every stage
        calls = []

        def stopping(*args: Any, calls: list[int] = calls, stop: int = stop, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return train_step(*args, **kwargs)

        folder = tmp_path / f"stopped{stop}"
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(training, "train_step", stopping)
            run(chosen, packs, folder)
        if stop % 3 == 2:  # and in the middle of writing the next checkpoint
            (folder / ".part-left.pt").write_bytes(b"half")
        resumed = run(chosen, packs, folder)
        assert all(torch.equal(undisturbed[key], resumed[key]) for key in undisturbed)
        assert losses(folder) == losses(tmp_path / "whole")


def test_the_last_three_checkpoints_and_the_best_are_kept(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=8), packs, tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert names == ["model.pt", "stage0-0000006.pt", "stage0-0000007.pt", "stage0-best.pt", "stage1-0000000.pt"]


def test_the_best_checkpoint_is_the_one_of_the_lowest_validation_error(
    packs: tuple[Pack, Pack], tmp_path: Path, tint: str
) -> None:
    run(config("tint", steps=8, options={"tint": {"rate": 0.5}}), packs, tmp_path)  # a rate that overshoots
    errors = {int(row[2]): float(row[4]) for row in losses(tmp_path) if row[3] == "validation/mse"}
    best = checkpoints.load(tmp_path / "stage0-best.pt")["step"]
    assert errors[best] == min(errors.values())


def raw(folder: Path, step: int) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = checkpoints.load(folder / f"stage0-{step:07d}.pt")["weights"]
    return weights


def test_averaging_and_validation_change_what_is_handed_on_and_not_the_training(
    packs: tuple[Pack, Pack], tmp_path: Path, tint: str
) -> None:
    made = {}
    for name, values in {"plain": {"ema": 0.0}, "averaged": {"ema": 0.5}, "watched": {"validate_every": 1}}.items():
        chosen = config("tint", **{"ema": 0.0, "validate_every": 9, **values}, options={"tint": {"rate": 0.05}})
        made[name] = run(chosen, packs, tmp_path / name)
    for name in ("averaged", "watched"):
        for step in (2, 3):
            one, other = raw(tmp_path / "plain", step), raw(tmp_path / name, step)
            assert all(torch.equal(one[key], other[key]) for key in one)
    assert all(torch.equal(made["plain"][key], made["watched"][key]) for key in made["plain"])
    average = checkpoints.load(tmp_path / "averaged" / "stage0-0000003.pt")["average"]
    weight = made["averaged"]["network.0.weight"]
    assert not torch.equal(made["plain"]["network.0.weight"], weight)
    # The last of four steps: the average keeps 5/14 of itself.
    last = average[0] * (5 / 14) + made["plain"]["network.0.weight"] * (9 / 14)
    torch.testing.assert_close(weight, last, rtol=0, atol=1e-6)


def test_the_best_checkpoint_holds_what_was_validated(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=3, validate_every=1, ema=0.9, select="best"), packs, tmp_path)
    best = checkpoints.load(tmp_path / "stage0-best.pt")
    assert not torch.equal(best["weights"]["network.0.weight"], raw(tmp_path, 2)["network.0.weight"])
    assert torch.equal(
        best["weights"]["network.0.weight"], checkpoints.load(tmp_path / "model.pt")["weights"]["network.0.weight"]
    )


def test_rates_fall_by_the_step_alone(
    packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tint: str
) -> None:
    seen = []

    def watched(stage: Any, optimizers: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        seen.append(optimizers["generator"].param_groups[0]["lr"])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return train_step(stage, optimizers, *args, **kwargs)

    monkeypatch.setattr(training, "train_step", watched)
    chosen = config("tint", decay_from=0.25)
    with pytest.raises(KeyboardInterrupt):
        run(chosen, packs, tmp_path)
    run(chosen, packs, tmp_path)
    assert seen == pytest.approx([1e-3, 1e-3, 1e-3 * 2 / 3, 1e-3 * 2 / 3, 1e-3 / 3])


def test_checkpoints_from_before_averages_and_falling_rates_go_on(
    packs: tuple[Pack, Pack], tmp_path: Path, tint: str
) -> None:
    plain = config("tint", ema=0.0, decay_from=1.0)
    identity = training.training_identity(plain, "tint", 0, Tint(64, 32))
    assert set(identity["training"]) == {"steps", "batch", "accumulate", "compile", "flip", "select"}
    assert {"ema", "decay_from"} <= set(training.training_identity(config("tint"), "tint", 0, Tint(64, 32))["training"])
    run(plain, packs, tmp_path)
    (tmp_path / "model.pt").unlink()
    with pytest.raises(BenchError, match="another model: its training is"):
        run(config("tint"), packs, tmp_path)


def test_training_lowers_the_loss(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=40, options={"tint": {"rate": 0.02}}), packs, tmp_path)
    content = [float(row[4]) for row in losses(tmp_path) if row[3] == "generator/content"]
    assert content[-1] < 0.7 * content[0]


def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_checkpoint(
    packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tint: str
) -> None:
    calls: list[int] = []

    def poisoned(*args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        losses = train_step(*args, **kwargs)
        return {key: value * float("nan") for key, value in losses.items()} if len(calls) == 4 else losses

    monkeypatch.setattr(training, "train_step", poisoned)
    with pytest.raises(
        BenchError, match=r"content is nan at step 4 .* of tint: .* last good checkpoint is .*0000003\.pt.*bench doctor"
    ):
        run(config("tint", log_every=100, steps=6), packs, tmp_path)
    assert checkpoints.resumable(tmp_path)[-1].name == "stage0-0000003.pt"


def poison(network: torch.nn.Module) -> None:
    with torch.no_grad():
        next(network.parameters())[-1, -1, -1, -1, -1] = float("nan")


@pytest.mark.parametrize("at", [3, 4, 6])  # in the middle, before a checkpoint is due, and in the last step
def test_weights_that_are_not_finite_are_never_written_though_the_loss_is(
    at: int, packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tint: str
) -> None:
    calls: list[int] = []

    def stepping(stage: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        losses = train_step(stage, *args, **kwargs)
        if len(calls) == at:
            poison(stage.network)  # the loss of the step was finite, its update is not
        return losses

    monkeypatch.setattr(training, "train_step", stepping)
    monkeypatch.setattr(training.StageRun, "_read", lambda *_: {"content": 1.0})  # nor does a later loss tell
    expected = r"tensors are not finite \(first weights\.network\.0\.weight\) after step \d of stage 'tint' of tint: "
    with pytest.raises(BenchError, match=expected + ".*last good checkpoint is .*learning rate"):
        run(config("tint", steps=6, checkpoint_every=2, log_every=100), packs, tmp_path)
    assert not (tmp_path / "model.pt").exists()
    for path in tmp_path.glob("*.pt"):
        assert checkpoints.not_finite(checkpoints.load(path)) == []
    assert checkpoints.resumable(tmp_path)[-1].name == f"stage0-{2 * ((at - 1) // 2):07d}.pt"


@pytest.mark.parametrize("broken", ["truncated", "foreign", "nan"])
def test_training_resumes_from_an_older_checkpoint_where_the_newest_is_broken(
    broken: str, packs: tuple[Pack, Pack], tmp_path: Path, tint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = run(config("tint", steps=6), packs, tmp_path)
    (tmp_path / "model.pt").unlink()
    (tmp_path / "stage1-0000000.pt").unlink()
    newest = checkpoints.resumable(tmp_path)[-1]
    if broken == "truncated":
        truncate(newest)
    elif broken == "foreign":
        torch.save({"weights": 1}, newest)
    else:
        content = checkpoints.load(newest)
        content["optimizers"]["generator"]["state"][0]["exp_avg"].fill_(float("inf"))
        torch.save(content, newest)  # as a version that does not look wrote it
    capsys.readouterr()
    resumed = run(config("tint", steps=6), packs, tmp_path)
    losses = " ".join(capsys.readouterr().err.split())
    assert f"Training resumes from {newest.name.replace('5', '4')}" in losses
    assert newest.name in losses
    assert all(torch.equal(undisturbed[key], resumed[key]) for key in undisturbed)


def test_checkpoints_of_which_none_is_usable_are_refused(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=3), packs, tmp_path)
    (tmp_path / "model.pt").unlink()
    for path in checkpoints.resumable(tmp_path):
        truncate(path)
    with pytest.raises(BenchError, match=r"or is truncated.*To train from the start, delete the checkpoints in"):
        run(config("tint", steps=3), packs, tmp_path)


def test_a_checkpoint_of_another_model_is_refused(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=2), packs, tmp_path)
    with pytest.raises(BenchError, match=r"checkpoint of another model: its model is 'tint', expected 'vgan'"):
        run(config("vgan", steps=2), packs, tmp_path)
    with pytest.raises(BenchError, match="its seed is 0, expected 1"):
        run(dataclasses.replace(config("tint", steps=2), seeds=(1,)), packs, tmp_path)


def test_a_model_without_stages_is_written_down(packs: tuple[Pack, Pack], tmp_path: Path) -> None:
    chosen = make_config({"preset": "smoke", "models": ["copy"], "device": "cpu"})
    assert run(chosen, packs, tmp_path) == {}


def test_players_move_only_their_own_network() -> None:
    model = Tint(64, 32)
    model.train()
    (stage,) = model.stages()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    losses = train_step(stage, make_optimizers(stage), torch.rand(2, 3, 32, 64, 64) * 2 - 1)
    assert list(losses) == ["generator/content"]
    assert any(not torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_cuda_that_is_not_there_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BenchError, match="You asked for --device cuda"):
        make_fabric("cuda")


def flat_stages(count: int) -> list[FlatStage]:
    """Equal copies of a stage of two players without batch norm."""
    torch.manual_seed(5)
    model = Flat(64, 32).train()
    return [copy.deepcopy(model).stages()[0] for _ in range(count)]


def test_a_batch_in_parts_makes_the_whole_batchs_step() -> None:
    clips = torch.rand(4, 3, 32, 64, 64) * 2 - 1
    whole, parts = flat_stages(2)
    optimizers = [make_optimizers(stage) for stage in (whole, parts)]
    losses = []
    for _ in range(3):
        one = train_step(whole, optimizers[0], clips)
        other = train_step(parts, optimizers[1], clips, accumulate=2)
        assert list(one) == list(other) == ["discriminator/adversarial", "generator/adversarial", "generator/content"]
        for term in one:
            torch.testing.assert_close(one[term], other[term], rtol=0, atol=1e-5)
        losses.append(one["generator/content"].item())
    assert losses[0] != losses[2]
    for network, same in zip(whole.modules().values(), parts.modules().values(), strict=True):
        for weight, twin in zip(network.parameters(), same.parameters(), strict=True):
            torch.testing.assert_close(weight, twin, rtol=0, atol=1e-4)


def test_parts_are_run_one_at_a_time_and_leave_gradients_switched_on() -> None:
    (stage,) = flat_stages(1)
    seen: list[tuple[int, bool]] = []
    forward = stage.forward

    def watched(clips: torch.Tensor) -> dict[str, torch.Tensor]:
        shared = forward(clips)
        seen.append((len(clips), shared["fake"].requires_grad))
        return shared

    stage.forward = watched  # type: ignore[method-assign]
    train_step(stage, make_optimizers(stage), torch.rand(4, 3, 32, 64, 64), accumulate=2)
    # The discriminator needs no graph of the generator: that is the memory which parts are to save.
    assert seen == [(2, False), (2, False), (2, True), (2, True)]
    assert all(p.requires_grad for network in stage.modules().values() for p in network.parameters())


def test_a_batch_that_does_not_split_is_refused(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    with pytest.raises(
        BenchError, match=r"batch of 2 clips cannot be split evenly over 1 processes and 3 accumulation steps"
    ):
        run(config("tint", accumulate=3), packs, tmp_path)
    with pytest.raises(BenchError, match="accumulate is 0"):
        config("tint", accumulate=0)


def test_a_model_that_draws_noise_is_resumed_bit_for_bit(
    packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tint: str
) -> None:
    from bench import registry

    registry.MODELS.add("flat", "tests.engine.distributed_worker:Flat")
    monkeypatch.setitem(SMALL, "flat", {"dropout": 0.5})
    chosen = config("flat")
    undisturbed = run(chosen, packs, tmp_path / "whole")
    calls: list[int] = []

    def stopping(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_step(*args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "train_step", stopping)
        run(chosen, packs, tmp_path / "stopped")
    torch.rand(7)  # whatever else was drawn meanwhile
    resumed = run(chosen, packs, tmp_path / "stopped")
    assert all(torch.equal(undisturbed[key], resumed[key]) for key in undisturbed)
    monkeypatch.setattr(training, "seed_step", lambda *place: torch.manual_seed(len(calls)))
    other = run(chosen, packs, tmp_path / "other")
    assert any(not torch.equal(undisturbed[key], other[key]) for key in undisturbed)  # the noise reaches the weights


def test_every_generator_is_seeded_by_the_step() -> None:
    def drawn(*place: int) -> tuple[float, float, float]:
        seed_step(*place)
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    first = drawn(0, 0, 1, 0)
    assert drawn(0, 0, 1, 0) == first
    for other in ((1, 0, 1, 0), (0, 1, 1, 0), (0, 0, 2, 0), (0, 0, 1, 1)):
        assert not set(drawn(*other)) & set(first)


@pytest.mark.parametrize("name", ["mdgan", "vgan", "rnngan"])
def test_our_adam_is_fused_and_moves_as_the_plain_one(name: str) -> None:
    from bench.engine.model_factory import build

    (stage, *_) = build(name, SMALL[name], 64).stages()
    for player, optimizer in make_optimizers(stage).items():
        assert all(group["fused"] for group in optimizer.param_groups), player
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 24).reshape(2, 3, 4)) for _ in range(2)]
    group = optimizer.param_groups[0]
    plain = torch.optim.Adam([weights[0]], group["lr"], group["betas"], fused=False, foreach=False)
    fused = torch.optim.Adam([weights[1]], group["lr"], group["betas"], fused=True)
    for step in range(5):
        for weight, adam in zip(weights, (plain, fused), strict=True):
            weight.grad = torch.sin(weight.detach() * (step + 3))
            adam.step()
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=1e-6)


def gpus(count: int) -> Any:
    return SimpleNamespace(world_size=count, device=SimpleNamespace(type="cuda"), to_device=lambda model: model)


def test_batch_norms_are_synchronised_over_gpus_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engine.model_factory import build

    monkeypatch.setattr(devices, "_training_group", lambda: None)  # the default one: no process is started here
    for fabric, kind in ((gpus(2), "SyncBatchNorm"), (gpus(1), "BatchNorm3d")):
        model = build("mdgan", SMALL["mdgan"], 64)
        names = set(model.state_dict())
        prepare(model, fabric)
        generator = model.stages()[0].modules()["generator"]
        assert {type(layer).__name__ for layer in generator.modules() if "BatchNorm" in type(layer).__name__} == {kind}
        assert set(model.state_dict()) == names
        weight = generator.conv3[0].weight  # type: ignore[union-attr, index]
        assert weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_compile_reaches_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **options: compiled.append(module))
    model = Flat(64, 32)
    prepare(model, gpus(1))
    assert not compiled
    prepare(model, gpus(1), compiled=True)
    assert compiled == [model.generator, model.discriminator]
