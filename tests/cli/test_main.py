from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from filelock import FileLock
from PIL import Image

from bench import cli_options as cli_options
from bench import provenance
from bench.cli import main as cli
from bench.errors import BenchError
from bench.registry import check_siblings
from tests.support.processes import run_command
from tests.support.small import REPOSITORY, blank_figures, make_beach, make_sky, moving_clip, truncate

pytestmark = pytest.mark.usefixtures("blank_figures")

VGAN = ["--models", "vgan", "--preset", "smoke", "--steps", "1", "--batch-size", "2", "--set", "options.vgan.width=4"]


def bench(
    *arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """Run the command in this process; returns exit status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
    status = 0
    try:
        cli.main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    return lambda *arguments: bench(*arguments, capsys=capsys, monkeypatch=monkeypatch)


@pytest.mark.training
def test_train_generate_score_and_report_do_what_run_does(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = ["--dataset", "sky", "--data-root", sky]
    status, out, err = run("run", *data, *VGAN, "--out", tmp_path / "run")
    assert status == 0, err
    assert "VGAN" in out
    assert "Copy of first frame" in out
    assert "report.html" in out
    status, out, err = run("train", "--model", "vgan", *data, *VGAN[2:], "--out", tmp_path / "t")
    assert status == 0, err
    assert out.strip().endswith("model.pt")
    checkpoint = tmp_path / "t" / "model.pt"
    assert checkpoint.read_bytes() == (tmp_path / "run/checkpoints/vgan-0/model.pt").read_bytes()
    status, out, err = run("generate", "--model", "vgan", "--checkpoint", checkpoint, *data, "--out", tmp_path / "g")
    assert status == 0, err
    assert out.split() == [str(tmp_path / "g" / "vgan")]
    videos = [f"vgan={tmp_path / 'g' / 'vgan'}", tmp_path / "run/predictions/copy"]
    status, out, err = run("score", *videos, *data, "--resolution", 64, "--out", tmp_path / "s", "--json")
    assert status == 0, err
    output = json.loads(out)
    assert {line["row"] for line in output["rows"]} == {"vgan", "copy"}
    assert any(note.startswith("Protocol v2/sky/64px/") for note in output["notes"])
    assert (tmp_path / "s/summary.csv").read_bytes() == (tmp_path / "run/summary.csv").read_bytes()
    table = (tmp_path / "run/table.tex").read_bytes()
    for name in ("table.tex", "report.html"):
        (tmp_path / "run" / name).unlink()
    status, out, err = run("report", tmp_path / "run")
    assert status == 0, err
    assert (tmp_path / "run/table.tex").read_bytes() == table
    assert (tmp_path / "run/report.html").exists()
    status, out, err = run("report", tmp_path / "run", "--json")
    assert status == 0, err
    assert {line["row"] for line in json.loads(out, parse_constant=pytest.fail)["rows"]} == {"vgan", "copy"}
    status, out, err = run("compare", tmp_path / "run", tmp_path / "s", "--json")
    assert status == 0, err
    output = json.loads(out, parse_constant=pytest.fail)
    assert any(note.startswith("Protocol ") for note in output["notes"])
    rows = output["rows"]
    assert {row["row"] for row in rows} >= {"vgan (run)", "vgan (s)"}
    assert all({"mse", "ssim"} <= row.keys() for row in rows)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--models", "mdgam"], "no model 'mdgam'. Did you mean 'mdgan'?"),
        (["run", "--preset", "smal"], "no preset 'smal'. Did you mean 'small'?"),
        (["run", "--metrics", "sim"], "no metric 'sim'. Did you mean 'ssim'?"),
        (["run", "--metrics", "PSNR"], "no metric 'PSNR'. Did you mean 'psnr'?"),
        (["score", "{tmp}", "--out", "{tmp}/s"], "Found no real videos to score against. Give --data-root"),
        (
            ["score", "{sky}/sky_train/v0", "--data-root", "{sky}", "--out", "{tmp}/s"],
            "has no prediction for v100__v100_1__000, v101__v101_1__000",
        ),
        (["run", "--dataset", "beech"], "no dataset 'beech'. Did you mean 'beach'?"),
        (["run", "--set", "stepz=3"], "no configuration key 'stepz'. Did you mean 'steps'?"),
        (["run", "--set", "clips=abc"], "clips is 'abc': expected a whole number above 0."),
        (["run", "--set", "preset.x=1", "--preset", "smoke"], "preset is {'x': 1}: expected a name."),
        (["run", "--set", "device=5"], "device is 5: expected one of auto, cpu, cuda."),
        (["run", "--set", "models=mdgam,vgan"], "no model 'mdgam'"),
        (["run", "--set", "steps.x=1", "--steps", "3"], "'steps.x=1' cannot be set"),
        (["run", "--config", "{tmp}"], "cannot be read: Is a directory."),
        (["run", "--seeds", "a,b"], "is not a list of whole numbers"),
        (["run", "--data-root", "nowhere", "--out", "{tmp}/run"], "The data root nowhere does not exist"),
        (["run", "--data-root", "{tmp}", "--out", "{tmp}/x/run"], "no clips in the sky layout"),
        (["score", "{tmp}", "--data-root", "{tmp}", "--out", "{tmp}/s"], "contains no videos named by clip ID"),
        (
            ["score", "{sky}/sky_train/v0", "--data-root", "{sky}", "--out", "{tmp}/s", "--frames", "some"],
            "frames is 'some'",
        ),
        (["report", "{tmp}"], "contains no scores to report"),
        (
            ["generate", "--checkpoint", "no.pt", "--out", "{tmp}/g", "--data-root", "{sky}"],
            "There is no checkpoint no.pt",
        ),
        (["data", "make", "skye", "{tmp}/d"], "Unknown synthetic scenes 'skye'"),
        (["data", "verify", "--data-root", "nowhere"], "The data root nowhere does not exist"),
    ],
)
def test_bad_input_gets_one_sentence_and_a_status(run, arguments, sentence, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, err = run(*(a.format(tmp=tmp_path, sky=sky) for a in arguments))
    assert status == 1
    assert sentence in err.replace("\n", " ")
    assert err.count("bench: ") == 1
    assert "Traceback" not in err
    assert not out


@pytest.mark.parametrize(
    ("subcommand", "flag"),
    [
        (["run"], "--resolution"),
        (["run"], "--clips"),
        (["run"], "--batch-size"),
        (["score", "x", "--out", "y"], "--resolution"),
        (["score", "x", "--out", "y"], "--workers"),
        (["generate", "--out", "y"], "--resolution"),
        (["data", "sheet", "x.png"], "--clips"),
        (["data", "pack"], "--resolution"),
        (["data", "pack"], "--workers"),
    ],
)
def test_a_count_of_nothing_is_a_usage_error(run, subcommand, flag) -> None:  # type: ignore[no-untyped-def]
    status, out, err = run(*subcommand, flag, 0)
    assert (status, out) == (2, "")
    assert f"Invalid value for '{flag}'" in err


def test_json_has_no_numbers_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    cli_options.print_json([{"a": float("nan"), "b": (float("inf"), 1.5)}, np.float64("-inf")])
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == [{"a": None, "b": [None, 1.5]}, None]


def test_ctrl_c_says_that_nothing_is_lost(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.pipeline.listing.models", interrupted)
    status, out, err = run("list", "models")
    assert (status, out) == (130, "")
    assert err == "bench: stopped; to resume, repeat the command.\n"


def test_version_and_short_help(run) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("--version")
    assert (status, out.split()[0]) == (0, "timelapse-bench")
    assert re.fullmatch(r"\d+\.\d+\.\d+", out.split()[1])
    for words in (["-h"], ["score", "-h"], ["study", "create", "-h"]):
        status, out, _ = run(*words)
        assert (status, "Usage: bench" in out) == (0, True)


def test_a_package_of_an_extra_is_named_with_the_command_that_brings_it(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "requires", lambda _: ["torch>=2", "sqlalchemy>=2.0; extra == 'study'"])
    for name in [name for name in sys.modules if name.partition(".")[0] in ("sqlalchemy", "study_app")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for words in (["study", "status", "--db", "x.db"], ["reproduce", "table2", "--preset", "smoke"]):
        status, out, err = run(*words)
        assert (status, out) == (1, "")
        assert "needs the package 'sqlalchemy'" in err
        assert "`pip install 'timelapse-bench[study]'`" in err


def test_another_programs_package_in_the_way_is_named(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "baselines", raising=False)
    with pytest.raises(BenchError, match=r"Python takes 'baselines' from .*, which is another program's"):
        check_siblings()


def test_a_folder_has_one_writer_at_a_time(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pair = [tmp_path / "mine", "--reference", tmp_path / "real", "--metrics", "mse", "--out", tmp_path / "out"]
    for name, seed in (("mine", 1), ("real", 2)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", moving_clip(seed, 16, 32))
    status, out, err = run("score", *pair)
    assert status == 0, err
    assert "32×32" in out  # the reference's own size
    training = ["train", "--model", "vgan", "--data-root", sky, *VGAN[2:], "--out", tmp_path / "out"]
    with FileLock(tmp_path / "out" / "run.lock"):
        for words in (["score", *pair], ["report", tmp_path / "out"], training):
            status, out, err = run(*words)
            assert (status, out) == (1, "")
            assert "is in use by another `bench` command" in err


def test_a_size_that_a_model_does_not_have_is_said(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    flags = ["--preset", "smoke", "--steps", 0, "--data-root", sky, "--resolution", 100, "--out", tmp_path / "t"]
    status, _, err = run("train", "--model", "vgan", *flags, "--set", "options.vgan.width=4")
    assert status == 0, err
    assert "vgan is trained at 64×64, its largest size up to 100." in err


def test_square_brackets_are_printed_as_they_are(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("doctor", "--data", f"[bold]x[/bold]={tmp_path}", "--data", "sky=[/red]")
    assert status == 0
    assert "dataset [bold]x[/bold]" in out
    assert "The data root [/red] does not exist" in out


def test_a_file_in_the_place_of_results_gets_one_sentence(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("mine")
    status, out, err = run("run", "--data-root", sky, *VGAN, "--out", tmp_path / "file" / "run")
    assert (status, out) == (1, "")
    assert "file is a file, but a folder is needed there. Choose another folder" in err.replace("\n", " ")


def test_a_system_error_that_nobody_caught_gets_one_sentence(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/a.csv")

    monkeypatch.setattr("bench.pipeline.listing.models", full)
    status, _, err = run("list", "models")
    assert (status, "The disk is full: /somewhere/a.csv" in err) == (1, True)


def test_broken_data_gets_one_sentence(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sky = make_sky(tmp_path / "sky")
    truncate(sky / "sky_train/v0/v0_1/frame_3.jpg")
    status, _, err = run("run", "--data-root", sky, *VGAN, "--out", tmp_path / "a")
    assert (status, "v0_1/frame_3.jpg cannot be decoded" in err) == (1, True)
    beach = make_beach(tmp_path / "beach")
    Image.fromarray(np.zeros((130, 128, 3), np.uint8)).save(beach / "frames-stable-many/shore/0000_0.jpg")
    status, _, err = run("run", "--dataset", "beach", "--data-root", beach, *VGAN, "--out", tmp_path / "b")
    assert (status, "its height is not a multiple of 128" in err) == (1, True)
    status, out, _ = run("data", "verify", "--dataset", "sky", "--data-root", sky)
    assert (status, "v0_1/frame_3.jpg cannot be decoded" in out) == (1, True)


def test_predictions_that_do_not_fit_get_one_sentence(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    own = tmp_path / "mine"
    own.mkdir()
    np.save(own / "v100__v100_1__000.npy", moving_clip(0, 31))
    np.save(own / "other__000.npy", moving_clip(0))
    score = ["score", own, "--data-root", sky, "--resolution", 64, "--out", tmp_path / "s"]
    status, _, err = run(*score)
    assert status == 1
    assert "has no prediction for v101__v101_1__000" in err
    assert "has other__000" in err
    (own / "other__000.npy").rename(own / "v101__v101_1__000.npy")
    status, _, err = run(*score)
    assert (status, "has 31 frames: expected 32" in err) == (1, True)


def test_a_checkpoint_of_another_model_gets_one_sentence(run, sky: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    flags = ["--preset", "smoke", "--steps", 0, "--data-root", sky, "--out", tmp_path / "t"]
    status, _, err = run("train", "--model", "vgan", *flags, "--set", "options.vgan.width=4")
    assert status == 0, err
    checkpoint = ["--checkpoint", tmp_path / "t/model.pt", "--data-root", sky, "--out", tmp_path / "g"]
    status, _, err = run("generate", "--model", "mdgan", *checkpoint)
    assert (status, "is a checkpoint of another model" in err) == (1, True)


def test_lists_and_doctor(run, sky: Path, tint: str) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("list", "models", "--json")
    assert status == 0
    assert {row["name"] for row in json.loads(out)} == {"mdgan", "vgan", "rnngan", "copy", "tint"}
    for what, word in (("models", "mdgan-1, mdgan-2"), ("datasets", "beach"), ("metrics", "psnr_frame")):
        status, out, _ = run("list", what)
        assert status == 0
        assert word in out
    status, out, _ = run("doctor", "--data", f"sky={sky}", "--data", "beach=nowhere")
    assert status == 0
    assert "3 train, 1 val, 2 test clips" in out
    assert "missing" in out
    assert "The data root nowhere does not exist" in out


@pytest.mark.process
def test_synthetic_data_are_made_checked_and_packed(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    counts = ["--train-videos", 2, "--test-videos", 1, "--clips-per-video", 1]
    status, _, err = run("data", "make", "beach", tmp_path / "d", *counts)
    assert status == 0, err
    status, out, _ = run("data", "verify", "--dataset", "beach", "--data-root", tmp_path / "d", "--json")
    assert status == 0
    assert json.loads(out)["clips"] == {"train": 1, "val": 1, "test": 1}
    status, out, _ = run("data", "pack", "--dataset", "beach", "--data-root", tmp_path / "d")
    assert status == 0
    assert all(Path(path).stat().st_size == 32 * 64 * 64 * 3 for path in out.split())
    status, _, err = run("data", "make", "beach", tmp_path / "d", *counts)
    assert status == 1
    assert "not empty" in err or "exists" in err


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root")
@pytest.mark.parametrize("size", ["1m", "2m"])  # full while the real clips are written, and while training is
def test_a_full_disk_gets_one_sentence_and_loses_nothing(size: str, sky: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    command = ["run", "--data-root", sky, *VGAN, "--out", disk / "run"]
    try:
        done = run_command(tmp_path / "said", *command, before=blank_figures)
        assert done.returncode == 1
        assert "The disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        kept = {path.name for path in (disk / "run" / "predictions" / "real").iterdir()}
        assert {"manifest.json", "v100__v100_1__000.png"} <= kept
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        done = run_command(tmp_path / "said", *command, before=blank_figures)
        assert done.returncode == 0, done.stderr
        assert (disk / "run" / "table.csv").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.process
def test_any_name_and_any_pipe_do_where_the_locale_knows_no_utf8(tmp_path: Path) -> None:
    """A row called Küste under LC_ALL=C, its table into a pipe that carries ASCII: what cron and containers give."""
    for folder in ("mine", "real"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "a.npy", moving_clip(0, 16, 32))
    c_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment = {key: value for key, value in os.environ.items() if key not in ("LANG", "PYTHONIOENCODING")}
    flags = ["--reference", "real", "--resolution", "32", "--metrics", "mse", "--out", "out"]
    command = [sys.executable, "-m", "bench", "score", "Küste=mine", *flags]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment, **c_locale, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-800:]
    assert b"0.00000" in done.stdout
    assert done.stdout.isascii()
    assert (tmp_path / "out" / "table.csv").read_text(encoding="utf-8").splitlines()[1] == "Küste,0.00000"


def test_help_names_values_and_not_pythons_types() -> None:
    cli.mount_commands()

    def check(command: Any, name: str) -> None:
        for inner_name, inner in getattr(command, "commands", {}).items():
            check(inner, f"{name} {inner_name}")
        for option in command.params:
            if option.param_type_name == "option" and not option.is_flag:
                assert re.fullmatch(r"[A-Z][A-Z=]*", option.metavar or ""), (name, option.opts, option.metavar)

    group = typer.main.get_command(cli.app)
    for name in group.commands:  # type: ignore[attr-defined]
        check(group.get_command(None, name), name)  # type: ignore[attr-defined,arg-type]
