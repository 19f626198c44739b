from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.config import RunConfig, make_config
from bench.data import workers
from bench.engine.devices import threads
from bench.errors import BenchError
from bench.pipeline import parallel_training
from bench.pipeline.parallel_training import threads_each, train_in_parallel
from bench.pipeline.run import run
from bench.runfolder import RunFolder
from tests.support.processes import CONTEXT
from tests.support.small import REPOSITORY

pytestmark = pytest.mark.usefixtures("blank_figures")

#: The command, which heeds Ctrl-C also where the tests run in the background of a shell, which has that ignored.
INTERRUPTIBLE = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from bench.cli.main import main
main()
"""
SMALL = {"vgan": {"width": 2}, "rnngan": {"width": 2}}


def config(sky: Path, **values: object) -> RunConfig:
    small = {"steps": 1, "batch": 2, "metrics": ["mse"], "device": "cpu", "options": SMALL, "logger": "none"}
    settings = {"preset": "smoke", "models": list(SMALL), "dataset": "sky", "data_root": str(sky), **small, **values}
    return make_config(settings)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import everything first."""
    monkeypatch.setattr(parallel_training, "CONTEXT", CONTEXT)
    monkeypatch.setattr(workers, "CONTEXT", CONTEXT)


@pytest.mark.process
@pytest.mark.usefixtures("soon")
def test_trainings_beside_each_other_give_the_same_bytes(
    sky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config(sky), tmp_path / "turns")
    assert "in parallel" not in capsys.readouterr().err
    run(config(sky), tmp_path / "beside", jobs=2)
    assert "2 training runs, 2 in parallel" in capsys.readouterr().err
    kept = [path for path in (tmp_path / "turns").rglob("*") if path.name in ("model.pt", "summary.csv", "table.md")]
    assert len(kept) == 3 + 2  # copy has a checkpoint too
    for path in kept:
        assert path.read_bytes() == (tmp_path / "beside" / path.relative_to(tmp_path / "turns")).read_bytes(), path


@pytest.mark.process
@pytest.mark.usefixtures("soon")
def test_what_one_of_them_says_is_said(sky: Path, tmp_path: Path) -> None:
    run(config(sky, models=["vgan"], options={"vgan": {"width": 2}}), tmp_path)
    (tmp_path / "checkpoints" / "vgan-0").rename(tmp_path / "checkpoints" / "rnngan-0")
    (tmp_path / "checkpoints" / "rnngan-0" / "model.pt").unlink()
    unfinished = [("vgan", 0), ("rnngan", 0)]
    with pytest.raises(BenchError, match=r"rnngan-0/stage1-0000000\.pt .*vgan"):
        train_in_parallel(config(sky), unfinished, RunFolder(tmp_path), 2, 1)


@pytest.mark.process
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_they_end_with_the_run(stop: signal.Signals, sky: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    endless = ["--models", "vgan,rnngan", "--dataset", "sky", "--data-root", str(sky), "--preset", "smoke", "--offline"]
    endless += [
        "--steps",
        "100000",
        "--batch-size",
        "2",
        "--set",
        "checkpoint_every=1",
        "--jobs",
        "2",
        "--device",
        "cpu",
    ]
    endless += [word for name in SMALL for word in ("--set", f"options.{name}.width=2")]
    command = [sys.executable, "-c", INTERRUPTIBLE, "run", *endless, "--out", str(out)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        try:
            wait_for(lambda: all(list(out.glob(f"checkpoints/{name}-0/stage*.pt")) for name in SMALL))
            running.send_signal(stop)  # to the first process alone: a terminal would send it to all
            assert running.wait(600) == (-stop if stop == signal.SIGKILL else 130)
            wait_for(lambda: not alive(running.pid))
        finally:
            if alive(running.pid):
                os.killpg(running.pid, signal.SIGKILL)
        assert running.stderr
        assert ("bench: stopped" in running.stderr.read()) == (stop == signal.SIGINT)


def alive(group: int) -> bool:
    """Whether a process of the group runs still, one that has ended and was not waited for left out."""
    states = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False).stdout
    return any(not state.startswith("Z") for state in states.split())


def wait_for(what: object, seconds: float = 1200) -> None:
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it has not come to that"
        time.sleep(0.1)


def test_one_training_or_one_thread_needs_no_process(
    sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_training, "fresh_processes", None)
    torch.set_num_threads(1)
    train_in_parallel(config(sky), [("vgan", 0), ("rnngan", 0)], RunFolder(tmp_path), None, 1)
    train_in_parallel(config(sky), [("vgan", 0)], RunFolder(tmp_path), 3, 1)
    train_in_parallel(config(sky), [], RunFolder(tmp_path), 3, 1)


def test_training_runs_share_the_threads_of_the_process() -> None:
    with threads(8):
        assert [threads_each(count, None) for count in (0, 1, 2, 3, 9)] == [8, 8, 4, 2, 2]
        assert [threads_each(9, jobs) for jobs in (1, 2, 16)] == [8, 4, 1]
