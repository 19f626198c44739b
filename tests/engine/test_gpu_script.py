"""`tests/gpu.sh`, run on the CPU with the smallest sizes: what it will do on a GPU works before there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.files import read_json
from tests.support.small import REPOSITORY

pytestmark = [pytest.mark.process, pytest.mark.training]


def python(folder: Path) -> Path:
    """This Python, which draws no figures in detail, and with HOLD never gets on: `python -m MODULE …`."""
    program = folder / "python"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, runpy, sys, time\n"
        "from tests.support.small import blank_figures\n"
        "blank_figures()\n"
        "if 'HOLD' in os.environ:\n"
        "    from bench.engine import train\n"
        "    train.train_step = lambda *arguments: time.sleep(600)\n"
        "_, flag, module, *words = sys.argv\n"
        "assert flag == '-m'\n"
        "sys.argv = [module, *words]\n"
        "runpy.run_module(module, run_name='__main__', alter_sys=True)\n"
    )
    program.chmod(0o755)
    return program


def call(out: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "DEVICE": "cpu", "OUT": str(out), **settings}
    environment["PYTHONPATH"] = str(REPOSITORY)
    return subprocess.run(
        ["bash", str(REPOSITORY / "tests" / "gpu.sh"), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_model_is_held_against_the_cpu(tmp_path: Path) -> None:
    done = call(tmp_path, "check")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "check.txt").read_text().count(
        "(ok)"
    ) == 14  # 4 steps with two paddings but RNN-GAN's, two precisions


def test_every_faster_way_is_checked_and_compared(tmp_path: Path) -> None:
    done = call(tmp_path, "fast", FAST="--tiny", MINUTES="60")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    parts = {part: read_json(tmp_path / f"fast-{part}.json") for part in ("gradients", "equal", "profile", "speed")}
    assert all(content["complete"] for content in parts.values())
    assert [row["ok"] for part in ("gradients", "equal") for row in parts[part]["rows"]] == [True] * 9
    (shares,) = parts["profile"]["rows"]
    assert 0 < shares["convolutions"] < 1
    ways = ["plain loop", "default", "gram", "graph", "space-to-depth", "stream", "all"]
    assert [row["way"] for row in parts["speed"]["rows"]] == ways
    assert all(row["ratio"] > 0 for row in parts["speed"]["rows"])
    assert "| mdgan-2 | 64 | 2 | all |" in (tmp_path / "fast.txt").read_text()


def test_a_part_out_of_time_keeps_its_rows_and_the_next_ones_run(tmp_path: Path) -> None:
    done = call(tmp_path, "fast", FAST="--tiny --seconds 0", MINUTES="60")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Out of time after 0 s") == 4
    kept = {path.name: read_json(path) for path in tmp_path.glob("fast-*.json")}
    assert {name: (len(content["rows"]), content["complete"]) for name, content in kept.items()} == {
        f"fast-{part}.json": (1, False) for part in ("gradients", "equal", "profile", "speed")
    }


def test_a_check_that_fails_is_a_call_that_fails(tmp_path: Path) -> None:
    assert call(tmp_path, "check", PYTHON="false").returncode == 1


def test_a_training_out_of_time_goes_on_at_the_next_call(sky: Path, tmp_path: Path) -> None:
    widths = " ".join(f"--set options.{name}.width=2" for name in ("mdgan", "vgan", "rnngan"))
    small = f"--resolution 64 --steps 2 --batch-size 2 --metrics mse --offline --set checkpoint_every=1 {widths}"
    blank = str(python(tmp_path))
    arguments = ("train", str(sky), str(tmp_path / "run"))
    stopped = call(tmp_path / "out", *arguments, TRAIN=small, MINUTES="0.05", GRACE="5", HOLD="1", PYTHON=blank)
    assert stopped.returncode == 0, stopped.stderr[-2000:]
    assert "not finished: call again" in stopped.stdout
    finished = call(tmp_path / "out", *arguments, TRAIN=small, MINUTES="60", PYTHON=blank)
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert "The run is finished" in finished.stdout
    brought = tmp_path / "out" / "run"
    assert set(read_json(brought / "run.json")["steps"].values()) == {"done"}
    assert (brought / "table.md").is_file()
    assert (brought / "figures" / "frames_1.png").is_file()
    assert len(list(brought.glob("checkpoints/*/model.pt"))) == 4


def test_a_call_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, "fly")
    assert done.returncode == 2
    assert "There is no call 'fly'" in done.stderr
