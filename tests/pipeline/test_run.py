from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.config import RunConfig, make_config, read_config
from bench.data.dataset import Dataset
from bench.engine import sessions
from bench.engine.devices import threads
from bench.errors import BenchError
from bench.files import read_json
from bench.pipeline import run as pipeline
from bench.pipeline.parallel_training import train_one
from bench.pipeline.run import run
from bench.pipeline.score import score_folders
from bench.registry import MODELS
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.processes import die_at, run_command
from tests.support.small import make_sky, truncate

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("blank_figures")]  # `finished` draws its own

#: What a run is for: these must not change by a byte, whatever happened on the way.
TABLES = ("summary.csv", "table.csv", "table.tex", "table.md", "scores/per_clip.csv", "scores/per_frame.csv")


def config(root: Path, **values: Any) -> RunConfig:
    small = {"steps": 3, "batch": 2, "checkpoint_every": 1, "device": "cpu", "options": {"vgan": {"width": 4}}}
    settings = {"preset": "smoke", "models": ["vgan"], "dataset": "sky", "data_root": str(root), **small, **values}
    return make_config(settings)


def read(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def finished(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    run(config(sky), out)
    return out


def test_a_run_leaves_the_whole_folder(finished: Path) -> None:
    for name in (*TABLES, "run.json", "clips.jsonl", "report.html", "figures/frames_1.png", "figures/frames_1.pdf"):
        assert (finished / name).stat().st_size > 0, name
    for name in ("over_time.png", "training.png", "samples.webp"):
        assert (finished / "figures" / name).stat().st_size > 1000, name
    for row in ("real", "vgan", "copy"):
        assert len(list((finished / "predictions" / row).glob("*.png"))) == 2
    account = read_json(finished / "run.json")
    assert set(account["steps"].values()) == {"done"}
    assert account["protocol"]["id"].startswith("v2/sky/64px/all32/2clips/")
    assert account["config"]["models"] == ["vgan", "copy"]
    assert account["provenance"]["packages"]["torch"]
    assert str(Path.home()) not in json.dumps(account["provenance"])


def test_scoring_the_folder_gives_the_same_numbers(finished: Path, sky: Path, tmp_path: Path) -> None:
    folders = [str(finished / "predictions" / row) for row in ("vgan", "copy")]
    score_folders(folders, tmp_path / "s", ScoringPlan(64, ()), dataset=Dataset("sky", str(sky)))
    for name in ("summary.csv", "scores/per_clip.csv", "scores/per_frame.csv"):
        assert (tmp_path / "s" / name).read_bytes() == (finished / name).read_bytes()
    # What training did otherwise than a paper is known of a run alone.
    departures = {f"# {text}" for text in read_json(finished / "run.json")["departures"]}
    lines = (finished / "table.csv").read_text().splitlines()
    assert departures <= set(lines)
    assert (tmp_path / "s" / "table.csv").read_text().splitlines() == [x for x in lines if x not in departures]


def test_a_finished_run_is_not_done_again(finished: Path, sky: Path) -> None:
    before = read(finished)
    weights = (finished / "checkpoints" / "vgan-0" / "model.pt").stat().st_mtime_ns
    run(config(sky), finished)
    assert read(finished) == before
    assert (finished / "checkpoints" / "vgan-0" / "model.pt").stat().st_mtime_ns == weights


def test_a_run_that_is_resumed_elsewhere_says_so_and_a_finished_one_stays(
    finished: Path, sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    before = read_json(out / "run.json")
    assert before["sessions"] == [before["provenance"]]
    real = sessions.provenance
    monkeypatch.setattr(sessions, "provenance", lambda device: {**real(device), "onednn": "99.1"})
    run(config(sky), out)
    assert read_json(out / "run.json") == before
    for left in ("model.pt", "stage1-0000000.pt"):
        (out / "checkpoints" / "vgan-0" / left).unlink()
    (out / "run.json").write_text(json.dumps({**before, "steps": {**before["steps"], "train": "failed"}}))
    capsys.readouterr()
    run(config(sky), out)
    after = read_json(out / "run.json")
    assert [session["onednn"] for session in after["sessions"]] == [before["provenance"]["onednn"], "99.1"]
    assert after["provenance"] == before["provenance"]
    output = " ".join(capsys.readouterr().err.split())
    change = f"onednn {before['provenance']['onednn']} → 99.1"
    assert f"resumes under different conditions ({change})" in output
    assert change in (out / "report.html").read_text()
    recorded = read_json(out / "checkpoints" / "vgan-0" / "sessions.json")
    assert [(session["step"], session["onednn"]) for session in recorded][1:] == [(2, "99.1")]


def test_trainings_that_are_left_keep_their_number_of_threads(
    sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[tuple[str, int]] = []

    def watched(config: RunConfig, name: str, *rest: Any) -> Path:
        used.append((name, torch.get_num_threads()))
        if len(used) == 2:
            raise KeyboardInterrupt
        return train_one(config, name, *rest)

    monkeypatch.setattr(pipeline, "train_one", watched)
    monkeypatch.setattr(pipeline, "train_in_parallel", lambda *_: None)
    chosen = config(
        sky, models=["vgan", "rnngan"], steps=1, options={n: {"width": 2} for n in ("vgan", "rnngan")}, metrics=["mse"]
    )
    with threads(4):
        with pytest.raises(KeyboardInterrupt):
            run(chosen, tmp_path, jobs=None)
        assert used == [("vgan", 2), ("rnngan", 2)]  # two of them, with two threads each
        run(chosen, tmp_path, jobs=None)  # one is left, and gets no more
        run(chosen, tmp_path, jobs=1)
    assert {count for _, count in used} == {2}
    with threads(8):
        run(chosen, tmp_path, jobs=None)
    assert {count for _, count in used} == {2}


def test_a_table_says_what_training_did_otherwise_than_the_papers(finished: Path) -> None:
    table = (finished / "table.md").read_text()
    for words in ("vgan, the paper's in brackets: width 4 (128)", "Learning rates fall to 0 after 50%", "ema 0.95"):
        assert words in table


def test_a_run_from_before_a_key_came_goes_on_where_the_key_is_off(sky: Path, tmp_path: Path) -> None:
    plain = config(sky, steps=0, ema=0.0, decay_from=1.0, models=["copy"], options={}, metrics=["mse"])
    run(plain, tmp_path)
    account = read_json(tmp_path / "run.json")
    for key in ("ema", "decay_from"):
        del account["config"][key]
    (tmp_path / "run.json").write_text(json.dumps(account))
    run(plain, tmp_path)
    with pytest.raises(BenchError, match=r"other settings \(ema was 0\.0 and is now 0\.5\)"):
        run(replace(plain, ema=0.5), tmp_path)


def test_other_settings_and_strangers_folders_are_refused(finished: Path, sky: Path, tmp_path: Path) -> None:
    before = read(finished)
    with pytest.raises(BenchError, match=r"other settings \(steps was 3 and is now 4\)"):
        run(config(sky, steps=4), finished)
    with pytest.raises(BenchError, match="belongs to a `bench run`"):
        score_folders([str(finished / "predictions" / "copy")], finished, ScoringPlan(64, ()))
    assert read(finished) == before
    (tmp_path / "mine.txt").write_text("thesis")
    with pytest.raises(BenchError, match="is not a run folder"):
        run(config(sky), tmp_path)


def test_settings_that_change_no_result_may_differ(finished: Path, sky: Path) -> None:
    before = read(finished)
    run(config(sky, log_every=7, checkpoint_every=2, validate_every=3), finished)
    assert read(finished) == before
    with pytest.raises(BenchError, match=r"validate_every was [0-9]+ and is now 3"):
        run(config(sky, select="best", validate_every=3), finished)


def test_a_run_is_made_again_from_its_account(finished: Path, sky: Path) -> None:
    assert make_config(read_config(finished / "run.json")) == config(sky)


def test_seeds_are_trained_apart_and_averaged(sky: Path, tmp_path: Path) -> None:
    run(config(sky, seeds=[0, 1], steps=1), tmp_path)
    assert (tmp_path / "predictions" / "vgan").is_dir()
    assert (tmp_path / "predictions" / "vgan@1").is_dir()
    assert "±" in (tmp_path / "table.md").read_text()


def test_a_test_clip_that_cannot_be_read_is_noticed_before_training(tmp_path: Path) -> None:
    root = make_sky(tmp_path / "sky")
    truncate(root / "sky_test/v100/v100_1/frame_20.jpg")
    with pytest.raises(BenchError, match=r"frame_20\.jpg cannot be decoded"):
        run(config(root), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert read_json(tmp_path / "run" / "run.json")["steps"]["data"] == "failed"


def test_a_model_that_does_not_fit_is_said_before_anything_is_written(sky: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no option 'widht'"):
        run(config(sky, options={"vgan": {"widht": 4}}), tmp_path / "run")
    with pytest.raises(BenchError, match="supports 64×64"):
        run(config(sky, resolution=32), tmp_path / "run")
    with pytest.raises(BenchError, match="does not exist"):
        run(config(tmp_path / "nowhere"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("bench.engine.train:train_step", 3),
        ("bench.data.predictions:PredictionWriter.write", 4),  # after the real clips, within the first row
        ("bench.scoring.score:ScoreJournal.put", 7),
    ],
)
def test_a_run_killed_while_training_generating_or_scoring_goes_on(
    place: str, call: int, finished: Path, sky: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    flags = ["--models", "vgan", "--preset", "smoke", "--steps", "3", "--batch-size", "2", "--device", "cpu"]
    flags += ["--set", "checkpoint_every=1", "--set", "options.vgan.width=4"]
    command = ["run", "--dataset", "sky", "--data-root", str(sky), "--out", str(out), *flags]
    killed = run_command(tmp_path / "said", *command, before=partial(die_at, place, call))
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "summary.csv").exists()
    run(config(sky), out)
    assert read(out) == read(finished)


def test_a_runs_own_folders_given_as_training_runs_have_the_runs_own_numbers(sky: Path, tmp_path: Path) -> None:
    run(config(sky, seeds=[0, 7], metrics=["mse", "ssim"]), tmp_path / "run")
    made = tmp_path / "run" / "predictions"
    rows = [
        f"vgan@0={made / 'vgan'}",
        f"copy@0={made / 'copy'}",
        f"vgan@7={made / 'vgan@7'}",
        f"copy@7={made / 'copy@7'}",
    ]
    plan = ScoringPlan(64, ["mse", "ssim"])
    score_folders(rows, tmp_path / "scored", plan, dataset=Dataset("sky", str(sky)))
    for name in ("summary.csv", "scores/per_clip.csv", "scores/differences.csv", "scores/protocol.json"):
        lines = [(tmp_path / folder / name).read_text().splitlines() for folder in ("run", "scored")]
        assert sorted(lines[0]) == sorted(lines[1])
    table = (tmp_path / "scored" / "table.md").read_text()
    assert "±" in table
    assert "Mean ± standard deviation over 2 training seeds." in table
    assert "vgan@7=FOLDER" in read_json(tmp_path / "scored" / "scores" / "provenance.json")["command"]


def test_a_run_of_a_model_that_draws_scores_all_of_its_samples(
    sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS._targets, "noisy", "tests.support.small:Noisy")
    settings = {"models": ["noisy"], "samples": 3, "best": 2, "metrics": ["mse", "ssim"], "options": {}}
    run(config(sky, **settings), tmp_path / "run")
    account = read_json(tmp_path / "run" / "run.json")
    assert account["protocol"]["id"].endswith("/3samples/best2")
    assert "--samples 3 --best 2" in account["command"]
    assert len(list((tmp_path / "run/predictions/noisy").glob("*@2.png"))) == 2
    assert not list((tmp_path / "run/predictions/copy").glob("*@*.png"))
    assert "best of 2 of 3" in (tmp_path / "run" / "table_samples.md").read_text()
    assert "Several samples per clip" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "figures" / "best_of.png").exists()


def test_samples_that_no_model_draws_are_refused_before_anything_is_trained(sky: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="5 samples are requested, but vgan, copy generate one video per clip"):
        run(config(sky, samples=5), tmp_path / "run")
    with pytest.raises(BenchError, match="best of 3 needs 3 samples per clip, not 2"):
        run(config(sky, samples=2, best=3), tmp_path / "run")
    assert not (tmp_path / "run").exists()
