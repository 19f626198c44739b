from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bench.config import make_config
from bench.errors import BenchError
from study_app.analysis import preference_scores
from study_app.pipeline.reproduce import STUDY, paper, reproduce
from study_app.store.store import Store
from tests.study_app.store.test_store import LEFT, Clock, Person
from tests.support import world as readers
from tests.support.small import make_beach

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture
def here(world: Path, tmp_path: Path) -> Path:
    """A folder in which both runs have been made, and no study."""
    return readers.copy(world, tmp_path / "here")


@pytest.mark.training
def test_table_4_stands_beside_the_papers_with_every_deviation(here: Path, world: Path) -> None:
    out = here / "results/table4"
    before = {path.name: path.read_bytes() for path in out.glob("table4.*")}
    assert before.keys() == {"table4.csv", "table4.json", "table4.tex", "table4.md"}
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
    shown = readers.run(readers.TABLE4, here, world)  # again: nothing is trained, the table is the same
    assert {path.name: path.read_bytes() for path in out.glob("table4.*")} == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")} == weights
    assert len(weights) == 4
    for words in (
        "trained on 3 clips of 3 videos (beach); the paper on 10 % of the Beach dataset",
        "clips: 2; the paper 1,000",
        "network width: vgan 4 of 128, rnngan 4 of 64, mdgan 4 of 32",
        "1 steps per stage with 2 clips each, 1 training seed",
        "layer sizes were not published",
        "Protocol v2/beach/64px/all32/2clips/",
    ):
        assert words in shown, words
    assert str(world) not in shown  # a published table names no folder of a machine
    table = json.loads((out / "table4.json").read_text())
    assert [row["row"] for row in table["rows"]] == ["vgan", "rnngan", "mdgan-1", "mdgan-2", "copy"]
    assert [row["mse_paper"] for row in table["rows"]] == ["0.0958", "0.1849", "0.0530", "0.0422", "–"]
    assert all(float(row["mse"]) < 1 for row in table["rows"])
    assert json.loads(readers.run(f"{readers.TABLE4} --json", here, world)) == table


def watch_and_answer(person: Person) -> None:
    """Answer everything after the clips have played: otherwise the answers are flagged, and do not count."""
    view = person.view()
    while view.state == "rating":
        person.study.media(person.token, view.trials[0])
        Clock.moment += timedelta(seconds=20)
        view = person.vote(view.trials[0], replace(LEFT, chosen=person.catch_side(view.trials[0])[0], response_ms=5000))


@pytest.mark.training
def test_tables_2_and_3_make_one_study_and_tally_its_votes(
    here: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = here / "results/table2"
    shown = readers.run(readers.TABLE2, here, world)
    assert "Deviation, raters: none yet." in shown
    assert "clips: 8; the paper 100" in shown
    assert [row["ours"] for row in json.loads((out / "table2.json").read_text())["rows"]] == ["–"] * 5
    store = Store(out / STUDY)
    for module in ("study", "clips"):
        monkeypatch.setattr(f"study_app.store.{module}.datetime", Clock)
    for _ in range(6):
        watch_and_answer(Person(store))
    readers.run(readers.TABLE2.replace("reproduce table2", "reproduce table3"), here, world)
    rows = json.loads((out / "table3.json").read_text())["rows"]
    assert [row["paper"] for row in rows] == ["70", "16", "8"]
    study = store.open("preferences")
    pos = preference_scores.pos_table(study.votes(), study.settings.comparisons).set_index("comparison")["votes"]
    assert [int(row["votes"]) for row in rows] == [pos[row["comparison"]] for row in rows]
    assert sum(int(row["votes"]) for row in rows) > 0
    assert store.names() == ["preferences"]


def test_what_is_no_table_of_the_paper(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no table 'table5'.*table2, table3, table4"):
        paper("table5")
    config = make_config({"models": ["vgan"], "preset": "smoke", "steps": 0, "dataset": "beach", "device": "cpu",
                          "data_root": str(make_beach(tmp_path / "b"))})  # fmt: skip
    with pytest.raises(BenchError, match="also needs the models mdgan, rnngan"):
        reproduce("table4", config, tmp_path / "run", offline=True)
