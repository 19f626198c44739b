from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import main as cli
from bench.config import make_config
from bench.errors import BenchError
from study_app.analysis import tally
from study_app.reproduce import STUDY, paper, reproduce
from study_app.store.store import Store
from tests.small import make_beach, make_sky
from tests.study_app.store.test_store import Person

SMALL = ["--preset", "smoke", "--steps", "1", "--device", "cpu", "--offline"]
SMALL += [word for model in ("mdgan", "vgan", "rnngan") for word in ("--set", f"options.{model}.width=4")]


def call(*arguments: str) -> str:
    cli.mount_commands()
    done = CliRunner().invoke(cli.app, ["reproduce", *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def test_table_4_stands_beside_the_papers_with_every_deviation(tmp_path: Path) -> None:
    root, out = make_beach(tmp_path / "shore"), tmp_path / "run"
    arguments = ["table4", "--data-root", str(root), "--out", str(out), *SMALL]
    shown = call(*arguments)
    for words in (
        "trained on 3 clips of 3 videos (shore); the paper on 10 % of the Beach dataset",
        "clips: 2; the paper 1,000",
        "network width: vgan 4 of 128, rnngan 4 of 64, mdgan 4 of 32",
        "1 steps a stage of 4 clips, 1 training seed",
        "layer sizes were not published",
        "Protocol v1/beach/64px/all32/2clips/",
    ):
        assert words in shown, words
    assert str(root) not in shown  # a published table names no folder of a machine
    table = json.loads((out / "table4.json").read_text())
    assert [row["row"] for row in table["rows"]] == ["vgan", "rnngan", "mdgan-1", "mdgan-2", "copy"]
    assert [row["mse_paper"] for row in table["rows"]] == ["0.0958", "0.1849", "0.0530", "0.0422", "–"]
    assert all(float(row["mse"]) < 1 for row in table["rows"])
    before = (out / "table4.tex").read_bytes()
    call(*arguments)  # again: nothing is trained, the table is the same
    assert (out / "table4.tex").read_bytes() == before
    assert json.loads(call(*arguments, "--json")) == table


def test_tables_2_and_3_make_one_study_and_tally_its_votes(tmp_path: Path) -> None:
    root, out = make_sky(tmp_path / "sky", test=6), tmp_path / "run"
    arguments = ["--data-root", str(root), "--out", str(out), *SMALL]
    shown = call("table2", *arguments)
    assert "Deviation, raters: none yet." in shown
    assert "clips: 6; the paper 100" in shown
    assert [row["ours"] for row in json.loads((out / "table2.json").read_text())["rows"]] == ["–"] * 5
    store = Store(out / STUDY)
    for _ in range(6):
        Person(store).finish()
    call("table3", *arguments)
    rows = json.loads((out / "table3.json").read_text())["rows"]
    assert [row["paper"] for row in rows] == ["70", "16", "8"]
    study = store.open("preferences")
    pos = tally.pos_table(study.votes(), study.settings.comparisons).set_index("comparison")["votes"]
    assert [int(row["votes"]) for row in rows] == [pos[row["comparison"]] for row in rows]
    assert sum(int(row["votes"]) for row in rows) > 0
    assert store.names() == ["preferences"]


def test_what_is_no_table_of_the_paper(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no table 'table5'.*table2, table3, table4"):
        paper("table5")
    config = make_config({"models": ["vgan"], "preset": "smoke", "steps": 0, "dataset": "beach", "device": "cpu",
                          "data_root": str(make_beach(tmp_path / "b"))})  # fmt: skip
    with pytest.raises(BenchError, match="needs the models mdgan, rnngan too"):
        reproduce("table4", config, tmp_path / "run", offline=True)
