from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import main as cli
from bench.errors import BenchError
from bench.report.tables.printed_table import to_csv, to_json, to_latex
from study_app.pipeline.agree import ALL, agree, make_grid
from study_app.pipeline.create import create
from study_app.pipeline.export import export
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, simulate
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.runfolder import write_run

pytestmark = pytest.mark.heavy

ROWS = ("mdgan-2", "vgan", "copy")


CLIPS = [f"video{n // 2:02d}__clip__{n:03d}" for n in range(12)]
CROWD = Crowd({**PAPER_STRENGTHS, "copy": 0.0}, clip_sd=1.5)


def liking(clip: str) -> float:
    """How much more the simulated raters like a clip of the alphabetically first system."""
    return float(np.random.default_rng([0, *clip.encode()]).normal())


def write_scores(run: Path, clips: list[str]) -> None:
    """`ssim` follows the simulated raters, `mse` is its opposite, `lpips` knows systems alone, `psnr` says nothing."""
    (run / "scores").mkdir(exist_ok=True)
    worth = {"mdgan-2": 3.0, "copy": 2.0, "vgan": 1.0}
    place = {"copy": 0.1, "mdgan-2": 0.0, "vgan": -0.1}
    lines = []
    for row in ROWS:
        for clip in clips:
            near = worth[row] / 4 + place[row] * liking(clip)
            of_metrics = (("ssim", near), ("mse", near), ("lpips", -worth[row]), ("psnr", 20.0))
            lines += [(row, 0, clip, clip[:7], metric, value) for metric, value in of_metrics]
    columns = ["row", "seed", "clip", "video", "metric", "value"]
    pd.DataFrame(lines, columns=columns).to_csv(run / "scores" / "per_clip.csv", index=False)
    means = [
        (row, metric, value) for row in ROWS for metric, value in (("ssim", worth[row] / 4), ("fvd", 9 - worth[row]))
    ]
    pd.DataFrame(means, columns=["row", "metric", "value"]).to_csv(run / "summary.csv", index=False)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of three rows and a simulated study of several votes a pair."""
    folder = tmp_path_factory.mktemp("agree")
    run = write_run(folder / "run", clips=12, rows=ROWS)
    write_scores(run, CLIPS)
    pairs = (("mdgan-2", "vgan"), ("mdgan-2", "copy"), ("copy", "vgan"), ("vgan", "real"))
    chosen = study_request(run, comparisons=pairs, clips=12, votes=3, workload=16, practice=1, catch=2, catch_pass=1)
    create(folder / "study.db", chosen)
    simulate(Store(folder / "study.db"), Store(folder / "study.db").open(), 12, CROWD)
    return run, folder / "study.db"


NAME = "study simulated 1"


def test_a_metric_that_follows_people_predicts_them(rated: tuple[Path, Path]) -> None:
    run, study = rated
    found, grid = agree(run, str(study), NAME)
    overall = found.overall.set_index("metric")
    ssim, mse, systems, psnr = (overall.loc[name] for name in ("ssim", "mse", "lpips", "psnr"))
    assert ssim["auc"] > 0.6
    assert ssim["ci_low"] < ssim["auc"] < ssim["ci_high"]
    assert mse["auc"] == pytest.approx(1 - ssim["auc"])
    assert 2 / 2**6 <= ssim["p"] == mse["p"] < 0.1  # six videos allow no smaller one
    assert (ssim["videos"], ssim["clips"], ssim["comparisons"]) == (6, 12, 3)
    # a metric that knows the systems and nothing of the clips predicts votes, and is not said to know more
    assert systems["agrees"] > 60
    assert (systems["auc"], systems["p"]) == (0.5, 1.0)
    assert systems["systems_right"] >= 2
    assert (psnr["auc"], psnr["agrees"], psnr["p"], psnr["systems_right"]) == (0.5, 50.0, 1.0, 0)
    assert list(found.overall["metric"]) == ["ssim", "lpips", "psnr", "mse"]  # best first
    assert 50 <= ssim["lower"] <= ssim["upper"]
    apart = found.lines[(found.lines["metric"] == "ssim") & (found.lines["comparison"] != ALL)]
    assert set(apart["comparison"]) == {"mdgan-2 over vgan", "mdgan-2 over copy", "copy over vgan"}  # none with real
    assert apart["votes"].sum() == ssim["votes"]
    assert found.sets.set_index("metric").loc["fvd", ["rank_correlation", "kendall"]].tolist() == [1.0, 1.0]
    assert any("fvd: 1.00" in note for note in grid.notes)
    assert any("with 6 videos, the smallest possible uncorrected p is 0.031" in note for note in grid.notes)
    assert [line.key for line in grid.lines if line.cells[0].best] == ["ssim"]


def test_what_is_no_better_than_chance_is_best_at_nothing(rated: tuple[Path, Path]) -> None:
    run, study = rated
    found, _ = agree(run, str(study), NAME)
    lines = found.lines[found.lines["metric"].isin(["mse", "psnr"])]
    assert not any(cell.best for line in make_grid(replace(found, lines=lines)).lines for cell in line.cells)


@pytest.mark.process  # where there is a LaTeX, it is run
def test_tables_and_figure_carry_the_same_digits_and_say_that_raters_are_simulated(
    rated: tuple[Path, Path], pdflatex: Callable[[str], None]
) -> None:
    run, study = rated
    _, grid = agree(run, str(study), NAME)
    folder = run / "agreement"
    printed = [[cell.whole for cell in line.cells] for line in grid.lines]
    text = (folder / "agree.csv").read_text()
    rows = list(csv.reader(io.StringIO("".join(t for t in text.splitlines(True) if t[0] != "#"))))
    assert [row[1:] for row in rows[1:]] == printed
    stored = json.loads((folder / "agree.json").read_text())
    assert [[row[key] for key in grid.keys] for row in stored["rows"]] == printed
    for name in ("agree.csv", "agree.json", "agree.tex", "agree.md"):
        assert "Simulated raters, not people." in (folder / name).read_text()
    assert text == to_csv(grid)
    assert stored == json.loads(json.dumps(to_json(grid)))
    assert (folder / "agree.tex").read_text() == to_latex(grid)
    pdflatex(to_latex(grid))
    for name in ("agree.png", "agree.pdf"):
        assert (folder / name).stat().st_size > 5000


def test_an_export_gives_the_same_as_the_database(
    rated: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, study = rated
    export(Store(str(study)).open(NAME), tmp_path / "exported")
    _, first = agree(run, str(study), NAME, tmp_path / "a")
    for where in (tmp_path / "exported", tmp_path / "exported" / "votes.csv"):
        _, second = agree(run, str(where), None, tmp_path / "b")
        assert second == first
    monkeypatch.setenv("HOME", str(study.parent))
    _, third = agree(run, f"~/{study.name}", NAME, tmp_path / "c")
    assert third == first


def test_what_cannot_be_held_against_each_other(rated: tuple[Path, Path], tmp_path: Path) -> None:
    run, study = rated
    for arguments, sentence in (
        ((tmp_path, str(study), NAME), "no metric scores"),
        ((run, str(study), "study"), "no votes yet"),
        ((run, str(tmp_path), None), "cannot be read"),
        ((run, str(tmp_path / "none.db"), None), r"none\.db is neither a folder of .* nor a study database"),
    ):
        with pytest.raises(BenchError, match=sentence):
            agree(*arguments)  # type: ignore[arg-type]
    other = write_run(tmp_path / "other", clips=12, rows=ROWS, size=48)
    write_scores(other, CLIPS)
    with pytest.raises(BenchError, match="Raters saw a different video"):
        agree(other, str(study), NAME)
    export(Store(str(study)).open(NAME), tmp_path / "exported")
    write_scores(other, CLIPS[:-1])
    with pytest.raises(BenchError, match=r"has no scores of .*clip__011 and 2 more"):
        agree(other, str(tmp_path / "exported"))
    votes = pd.read_csv(tmp_path / "exported" / "votes.csv", keep_default_na=False)
    votes[votes["second"] == "real"].to_csv(tmp_path / "exported" / "votes.csv", index=False)
    with pytest.raises(BenchError, match="No counted vote compares two models"):
        agree(run, str(tmp_path / "exported"))
    votes.drop(columns="video").to_csv(tmp_path / "exported" / "votes.csv", index=False)
    with pytest.raises(BenchError, match="Export the study again"):
        agree(run, str(tmp_path / "exported"))


def test_the_verb(rated: tuple[Path, Path], tmp_path: Path) -> None:
    run, study = rated
    cli.mount_commands()
    arguments = ["agree", str(run), str(study), "--study", NAME, "--out", str(tmp_path)]
    shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "Simulated raters, not people." in shown.stdout
    found = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert json.loads(found.stdout)["rows"][0]["metric"] == "ssim"
