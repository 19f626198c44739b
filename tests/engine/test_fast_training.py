"""Whole training runs with `fast`: on a CPU the same code runs, without streams and without being recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.config import RunConfig, make_config
from bench.data.packed_clips import Pack
from bench.engine import checkpoints, devices
from bench.engine import train as training
from bench.engine.devices import make_fabric, prepare, speed_up
from bench.engine.gradient_check import check_gradients
from bench.engine.model_factory import build
from bench.engine.train import train
from bench.engine.training_step import train_step
from bench.errors import BenchError
from bench.registry import FAST
from tests.engine.distributed_worker import Flat
from tests.engine.test_train import gpus, losses, packs

pytestmark = pytest.mark.training

__all__ = ["packs"]  # the fixture


def config(fast: str, **values: Any) -> RunConfig:
    small = {"steps": 4, "batch": 2, "validate_every": 2, "checkpoint_every": 1, "log_every": 2, "device": "cpu"}
    small |= {"preset": "smoke", "models": ["mdgan"], "options": {"mdgan": {"width": 1, "ranking_norm": "mean"}}}
    return make_config({**small, "ema": 0.9, "decay_from": 0.5, "fast": fast, **values}, baseline=False)


def run(config: RunConfig, packs: tuple[Pack, Pack], folder: Path) -> dict[str, torch.Tensor]:
    final = train(config, "mdgan", 0, *packs, folder, make_fabric("cpu"))
    weights: dict[str, torch.Tensor] = checkpoints.load(final)["weights"]
    return weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def test_a_graph_and_a_stream_change_no_bit_on_a_cpu(packs: tuple[Pack, Pack], tmp_path: Path) -> None:
    usual = run(config(""), packs, tmp_path / "usual")
    fast = run(config("graph,stream"), packs, tmp_path / "fast")
    assert same(usual, fast)
    assert losses(tmp_path / "usual") == losses(tmp_path / "fast")
    (one, other) = (checkpoints.load(tmp_path / name / "stage1-0000003.pt")["average"] for name in ("usual", "fast"))
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_stopped_and_resumed_with_every_way_a_training_ends_as_if_it_were_not(
    accumulate: int, packs: tuple[Pack, Pack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = config("all", accumulate=accumulate, steps=3)
    assert chosen.fast == FAST
    undisturbed = run(chosen, packs, tmp_path / "whole")
    for stop in (2, 5):  # in each stage
        calls: list[int] = []

        def stopping(*args: Any, calls: list[int] = calls, stop: int = stop, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return train_step(*args, **kwargs)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(training, "train_step", stopping)
            run(chosen, packs, tmp_path / f"stopped{stop}")
        assert same(run(chosen, packs, tmp_path / f"stopped{stop}"), undisturbed)
        assert losses(tmp_path / f"stopped{stop}") == losses(tmp_path / "whole")


def test_ways_that_change_rounding_are_part_of_a_trainings_identity(packs: tuple[Pack, Pack], tmp_path: Path) -> None:
    run(config("", steps=1), packs, tmp_path / "usual")
    assert "fast" not in checkpoints.load(tmp_path / "usual" / "model.pt")["training"]
    run(config("stream", steps=1), packs, tmp_path / "usual")  # of the same identity, so there is nothing left to do
    with pytest.raises(BenchError, match=r"checkpoint of another model.*'fast': \['gram', 'space-to-depth'\]"):
        run(config("space-to-depth,gram", steps=1), packs, tmp_path / "usual")


def test_what_does_not_go_with_a_graph_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match=r"fast=graph does not work with compile=true: leave graph out"):
        prepare(Flat(64, 32), gpus(1), compiled=True, fast=("graph",))
    monkeypatch.setattr(devices, "_training_group", lambda: None)
    with pytest.raises(
        BenchError, match=r"does not work with 2 processes: leave graph out of fast, or use one process"
    ):
        prepare(Flat(64, 32), gpus(2), fast=("graph", "gram"))


def test_gradients_in_bf16_gram_products_are_those_of_float64_in_the_bounds_of_bf16() -> None:
    model = build("mdgan", {"width": 2, "ranking_norm": "relative"}, 64)
    corners = torch.rand(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clips = torch.nn.functional.interpolate(corners, (32, 64, 64), mode="trilinear", align_corners=True)
    exact = check_gradients(model, 1, clips)
    rounded = check_gradients(model, 1, clips, precision="bf16", fast=FAST)
    assert exact.right
    assert rounded.right, rounded
    assert rounded.error > exact.error


def test_a_model_without_such_layers_trains_as_before() -> None:
    model = Flat(64, 32)
    before = str(model)
    speed_up(model, ("gram", "graph", "stream"))
    assert str(model) == before
