"""Two real processes, joined by gloo, against one, as one machine and as two; and a run that torchrun starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.run as elastic
from torch.distributed import TCPStore

from bench.config import make_config
from bench.data.predictions import Predictions
from bench.engine import checkpoints
from bench.engine.training_log import read_log
from bench.files import read_json
from bench.pipeline.run import run
from tests.engine import distributed_worker
from tests.engine.distributed_worker import main as worker
from tests.support.processes import Finished, Forked, command, torchrun_environments
from tests.support.small import moving_clip

several_processes = pytest.mark.parametrize("several", ["two", "two nodes"])
pytestmark = [pytest.mark.process, pytest.mark.training, pytest.mark.usefixtures("blank_figures")]


def torchrun(output: Path, processes: int, script: Path, *arguments: str) -> Finished:
    """torchrun, which forks its processes here: each would else import PyTorch for itself."""
    options = ["--standalone", "--nproc-per-node", str(processes), "--start-method", "fork", "--run-path"]
    done = Forked(output, elastic.main, [*options, str(script), *arguments]).wait()
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def train_in(processes: int, sky: Path, folder: Path) -> None:
    """Train in several processes that find each other as torchrun's do: through a store that their parent keeps."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # at a port that it has, not one seen free
    workers = [
        Forked(folder / f"said-{rank}", worker, str(sky), str(folder), env=environment)
        for rank, environment in enumerate(torchrun_environments(store.port, processes))
    ]
    for done in [started.wait() for started in workers]:
        assert done.returncode == 0, done.stderr[-3000:]


def train_on_two_nodes(sky: Path, folder: Path) -> None:
    """Train under torchrun as two machines of one process each do, which meet at an address that both are given."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = ["--nnodes", "2", "--nproc-per-node", "1", "--local-addr", "127.0.0.1", "--rdzv-backend", "c10d"]
    meeting += ["--rdzv-endpoint", f"127.0.0.1:{store.port}", "--rdzv-conf", "is_host=0", "--rdzv-id", "test"]
    trains = ["--start-method", "fork", "--run-path", distributed_worker.__file__, "train", str(sky), str(folder)]
    nodes = [
        Forked(folder / f"said-{rank}", elastic.main, [*meeting, "--node-rank", rank, *trains]) for rank in ("0", "1")
    ]
    for done in [started.wait() for started in nodes]:
        assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def trained(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One training by one process, by two, and by two nodes."""
    folders = {name: tmp_path_factory.mktemp(name.replace(" ", "-")) for name in ("one", "two", "two nodes")}
    train_in(1, sky, folders["one"])
    train_in(2, sky, folders["two"])
    train_on_two_nodes(sky, folders["two nodes"])
    return folders


def losses(folder: Path) -> dict[tuple[str, str], float]:
    rows = read_log(folder / "training" / "training.csv")
    values = {(row[2], row[3]): float(row[4]) for row in rows if row[3] != "clips_per_second"}
    assert len(values) == len([row for row in rows if row[3] != "clips_per_second"])  # every value once
    return values


@several_processes
def test_two_processes_have_the_losses_of_one(trained: dict[str, Path], several: str) -> None:
    one, two = losses(trained["one"]), losses(trained[several])
    assert list(one) == list(two)
    assert {step for step, term in one if term == "generator/content"} == {str(step) for step in range(1, 7)}
    assert one[("1", "generator/content")] != one[("6", "generator/content")]
    for key, value in one.items():
        assert two[key] == pytest.approx(value, abs=2e-5), key


@several_processes
def test_two_processes_end_with_the_weights_of_one(trained: dict[str, Path], several: str) -> None:
    one, two = (checkpoints.load(trained[name] / "training" / "model.pt")["weights"] for name in ("one", several))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=0, atol=2e-4)  # 6 steps of Adam move it by 6e-3


@several_processes
def test_processes_share_a_batch_without_repeats(trained: dict[str, Path], several: str) -> None:
    (whole,) = (json.loads(path.read_text()) for path in trained["one"].glob("seen-*.json"))
    shares = [json.loads((trained[several] / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    for step, batch in enumerate(whole):
        assert [len(share[step]) for share in shares] == [2, 2]
        assert sorted(shares[0][step] + shares[1][step]) == sorted(batch)
    assert shares[0] != shares[1]


@several_processes
def test_files_are_written_once_and_are_the_same_set(trained: dict[str, Path], several: str) -> None:
    def files(folder: Path) -> list[str]:
        paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return sorted(path for path in paths if "tensorboard" not in path and not path.startswith(("seen", "said")))

    assert files(trained["one"]) == files(trained[several])
    assert len(list((trained[several] / "training" / "tensorboard" / "stage0").iterdir())) == 1
    videos = Predictions(trained[several] / "videos" / "flat")  # raises where the manifest is not closed
    assert videos.ids == Predictions(trained["one"] / "videos" / "flat").ids
    assert len(videos.ids) == 2
    for id in videos.ids:
        assert videos.read(id).shape == (32, 64, 64, 3)


def test_a_run_under_torchrun_leaves_what_a_run_leaves(sky: Path, tmp_path: Path) -> None:
    settings = {"steps": 2, "batch": 2, "checkpoint_every": 1, "metrics": ["mse"], "options": {"vgan": {"width": 4}}}
    base_settings = {"preset": "smoke", "models": ["vgan"], "dataset": "sky", "data_root": str(sky), "device": "cpu"}
    run(make_config({**base_settings, **settings}), tmp_path / "one")
    flags = ["--models", "vgan", "--preset", "smoke", "--steps", "2", "--batch-size", "2", "--device", "cpu"]
    flags += ["--set", "checkpoint_every=1", "--set", "options.vgan.width=4", "--metrics", "mse"]
    place = ["--dataset", "sky", "--data-root", str(sky), "--out", str(tmp_path / "two")]
    done = torchrun(tmp_path / "said", 2, Path(distributed_worker.__file__), "run", *place, *flags)
    assert done.stdout.count("Tables:") == 1  # one process speaks
    names = [
        {
            p.relative_to(out).as_posix()
            for p in out.rglob("*")
            if p.is_file() and p.suffix != ".lock" and "tensorboard" not in p.as_posix()
        }
        for out in (tmp_path / "one", tmp_path / "two")
    ]
    assert names[0] == names[1]
    assert set(read_json(tmp_path / "two" / "run.json")["steps"].values()) == {"done"}
    # The copy baseline is not trained: its numbers are the same however many processes there are.
    copies = [
        [line for line in (tmp_path / out / "scores" / "per_clip.csv").read_text().splitlines() if "copy" in line]
        for out in ("one", "two")
    ]
    assert copies[0] == copies[1] != []


def test_a_scoring_under_torchrun_gives_the_bytes_of_one_process(tmp_path: Path) -> None:
    for name, seed in (("real", 0), ("mine", 50)):
        (tmp_path / name).mkdir()
        for number in range(5):
            np.save(tmp_path / name / f"clip{number}.npy", moving_clip(seed + number, 8, 32))
    words = ["score", str(tmp_path / "mine"), "--reference", str(tmp_path / "real"), "--metrics", "mse,ssim,motion"]
    alone = Forked(tmp_path / "alone", command, [*words, "--out", tmp_path / "one"]).wait()
    assert alone.returncode == 0, alone.stderr
    done = torchrun(tmp_path / "said", 2, Path(distributed_worker.__file__), *words, "--out", str(tmp_path / "two"))
    assert done.stdout == alone.stdout  # one process speaks
    for name in ("summary.csv", "scores/per_frame.csv", "scores/per_clip.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert [path.name for path in (tmp_path / "two" / "scores").glob("journal*")] == ["journal.jsonl"]
    shares = [
        json.loads(line)[0] for line in (tmp_path / "two" / "scores" / "journal.jsonl").read_text().split("\n") if line
    ]
    assert len(shares) == len(set(shares)) == 15  # no value was computed twice


def test_without_torchrun_one_process_trains_whatever_slurm_says(sky: Path, tmp_path: Path) -> None:
    job = {"JOB_ID": "7", "JOB_NAME": "train", "NNODES": "1", "NODELIST": "localhost", "NTASKS": "4"}
    task = {"PROCID": "3", "LOCALID": "3", "NODEID": "0"}
    words = ["train", "--model", "vgan", "--dataset", "sky", "--data-root", sky, "--preset", "smoke", "--steps", "1"]
    words += ["--batch-size", "2", "--set", "options.vgan.width=4", "--set", "logger=none", "--device", "cpu"]
    slurm = {f"SLURM_{key}": value for key, value in {**job, **task}.items()}
    left = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "3"}  # of a script for another launcher
    done = Forked(tmp_path / "said", command, [*words, "--out", tmp_path / "out"], env={**slurm, **left}).wait()
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "model.pt").exists()
