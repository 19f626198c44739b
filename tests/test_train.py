from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import checkpoints
from bench import train as training
from bench.config import RunConfig, make_config
from bench.data.clips import build_manifest
from bench.data.pack import Pack, pack
from bench.errors import BenchError
from bench.train import make_fabric, make_optimizers, train, train_step
from bench.trainlog import read_log
from tests.small import Tint

SMALL = {"mdgan": {"width": 2}, "vgan": {"width": 4}, "rnngan": {"width": 4}, "tint": {}}


@pytest.fixture(scope="module")
def packs(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, Pack]:
    manifest = build_manifest("sky", sky)
    folder = tmp_path_factory.mktemp("packs")
    train_clips, val = (pack(manifest.split(split), manifest.root, 64, folder) for split in ("train", "val"))
    return train_clips, val


def config(name: str, **values: Any) -> RunConfig:
    small = {"steps": 4, "batch": 2, "validate_every": 2, "checkpoint_every": 1, "log_every": 1, "device": "cpu"}
    given = {"preset": "smoke", "models": [name], "options": {name: SMALL[name]}, **small, **values}
    return make_config(given, baseline=False)


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
    chosen = config(name)
    undisturbed = run(chosen, packs, tmp_path / "whole")
    stages = 2 if name == "mdgan" else 1
    for stop in range(1, 4 * stages + 1):  # in every step of every stage
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
        if stop % 4 == 3:  # and in the middle of writing the next checkpoint
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
        told = train_step(*args, **kwargs)
        return {key: value * float("nan") for key, value in told.items()} if len(calls) == 4 else told

    monkeypatch.setattr(training, "train_step", poisoned)
    with pytest.raises(BenchError, match=r"content of tint is nan at step 4 .* last good checkpoint is .*0000003\.pt"):
        run(config("tint", log_every=100, steps=6), packs, tmp_path)
    assert checkpoints.resumable(tmp_path)[-1].name == "stage0-0000003.pt"


def test_a_checkpoint_of_another_model_is_refused(packs: tuple[Pack, Pack], tmp_path: Path, tint: str) -> None:
    run(config("tint", steps=2), packs, tmp_path)
    with pytest.raises(BenchError, match=r"checkpoint of another model: its model is 'tint', where 'vgan'"):
        run(config("vgan", steps=2), packs, tmp_path)
    with pytest.raises(BenchError, match="its seed is 0, where 1"):
        run(dataclasses.replace(config("tint", steps=2), seeds=(1,)), packs, tmp_path)


def test_a_model_without_stages_is_written_down(packs: tuple[Pack, Pack], tmp_path: Path) -> None:
    chosen = make_config({"preset": "smoke", "models": ["copy"], "device": "cpu"})
    assert run(chosen, packs, tmp_path) == {}


def test_players_move_only_their_own_network() -> None:
    model = Tint(64, 32)
    model.train()
    (stage,) = model.stages()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    told = train_step(stage, make_optimizers(stage), torch.rand(2, 3, 32, 64, 64) * 2 - 1)
    assert list(told) == ["generator/content"]
    assert any(not torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_cuda_that_is_not_there_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BenchError, match="cuda is asked for"):
        make_fabric("cuda")
