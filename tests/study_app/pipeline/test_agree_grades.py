"""`bench agree` with grades: from an exported folder and from a database, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import main as cli
from bench.errors import BenchError
from bench.runfolder import RunFolder
from study_app.design.question_file import parse
from study_app.pipeline.agree_grades import agree_grades, ratings_of
from study_app.pipeline.create import create
from study_app.pipeline.export import export
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, simulate
from study_app.store.store import Store
from tests.study_app.conftest import study_request


def scored(folder: Path, ratings: pd.DataFrame) -> Path:
    """A run with scores of the graded clips: PSNR that follows the grades, MSE that does not."""
    rng = np.random.default_rng(0)
    means = ratings.groupby(["system", "clip"])["rating"].mean()
    rows = []
    for (system, clip), mean in means.items():
        rows += [(clip, system, 0, "psnr", 20 + 2 * mean + rng.normal()), (clip, system, 0, "mse", rng.random())]
    table = pd.DataFrame(rows, columns=["clip", "row", "seed", "metric", "value"])
    path = RunFolder(folder).per_clip
    path.parent.mkdir(parents=True)
    table.to_csv(path, index=False)
    return folder


def test_metrics_are_held_against_grades(run_folder: Path, tmp_path: Path) -> None:
    settings = {"clips": 10, "workload": 20, "practice": 0, "catch": 0, "catch_pass": 0, "votes": 3}
    create(tmp_path / "s.db", study_request(run_folder, **settings, questions=parse({"kind": "scale"})))
    store = Store(tmp_path / "s.db")
    twin, _ = simulate(store, store.open(), 7, Crowd(PAPER_STRENGTHS, 0.3, 0.3))
    export(twin, tmp_path / "out")
    ratings = ratings_of(str(tmp_path / "out"), None)
    from_database = ratings_of(str(tmp_path / "s.db"), twin.name)
    assert ratings is not None
    assert from_database is not None
    assert list(ratings["rating"]) == list(from_database["rating"])
    run = scored(tmp_path / "run", ratings)
    grid = agree_grades(run, ratings)
    assert [line.key for line in grid.lines] == ["psnr", "mse"]
    psnr, mse = (line.cells for line in grid.lines)
    assert float(psnr[1].text) > 0.7 > abs(float(mse[1].text))
    assert psnr[0].best
    assert psnr[0].interval
    assert "Simulated" in grid.warning
    cli.mount_commands()
    said = CliRunner().invoke(cli.app, ["agree", str(run), str(tmp_path / "out"), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["rows"][0]["metric"] == "psnr"
    assert (run / "agreement" / "agree.csv").exists()


def test_votes_are_none_and_other_tables_are_refused(tmp_path: Path) -> None:
    assert ratings_of(str(tmp_path / "votes.csv"), None) is None
    assert ratings_of(str(tmp_path / "none.db"), None) is None
    (tmp_path / "ratings.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BenchError, match="it has other columns"):
        ratings_of(str(tmp_path), None)
