from __future__ import annotations

import os

import pytest
import torch

from bench.engine.devices import make_fabric


def test_lightnings_environment_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lingering = {
        "LT_PRECISION": "bf16-true",
        "LT_ACCELERATOR": "tpu",
        "LT_DEVICES": "2",
        "LT_NUM_NODES": "2",
        "LT_STRATEGY": "ddp",
        "LT_CLI_USED": "1",
    }
    for key, value in lingering.items():
        monkeypatch.setenv(key, value)
    fabric = make_fabric("cpu", "32-true")
    assert fabric.device == torch.device("cpu")
    assert fabric.world_size == 1
    with fabric.autocast():
        made = torch.nn.Linear(2, 2)(torch.ones(1, 2))
    assert made.dtype == torch.float32
    assert {key: value for key, value in os.environ.items() if key.startswith("LT_")} == lingering


def test_precision_is_what_was_asked_for_and_not_lightnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LT_PRECISION", "bf16-mixed")
    with make_fabric("cpu").autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
    monkeypatch.setenv("LT_PRECISION", "32-true")
    with make_fabric("cpu", "bf16-mixed").autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16
