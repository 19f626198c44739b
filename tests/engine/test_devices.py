from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch
from torch.distributed import TCPStore

from bench.engine.devices import average_over_processes, make_fabric, step_minutes
from bench.errors import BenchError
from tests.support.processes import Forked, torchrun_environments


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


def average_twice(hangs: bool) -> None:
    """What each of two processes does: the second time one of them does not come."""
    make_fabric("cpu")
    values = torch.full((2,), float(os.environ["RANK"]))
    torch.distributed.barrier()  # both are there, however late a busy machine lets one start
    average_over_processes([values])
    assert values.tolist() == [0.5, 0.5]
    if hangs:
        time.sleep(3600)
    average_over_processes([values])


@pytest.mark.process
@pytest.mark.parametrize("hung", [0, 1])
def test_a_process_that_hangs_is_named_by_those_that_wait(hung: int, tmp_path: Path) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    both = [
        Forked(tmp_path / str(rank), average_twice, rank == hung, env={**environment, "BENCH_STEP_TIMEOUT": "0.2"})
        for rank, environment in enumerate(torchrun_environments(store.port, 2))
    ]
    try:
        waiting = both[1 - hung].wait()
    finally:
        both[hung].process.kill()
    assert waiting.returncode == 1
    output = waiting.stderr.strip().splitlines()[-1]
    assert f"Process {1 - hung} has waited 0.2 minutes for process {hung}, which has stopped" in output


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1441"])
def test_a_time_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert step_minutes() == 30
    monkeypatch.setenv("BENCH_STEP_TIMEOUT", value)
    with pytest.raises(BenchError, match=f"BENCH_STEP_TIMEOUT is '{value}': give minutes, at most 1440"):
        step_minutes()
