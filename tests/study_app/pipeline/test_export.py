"""From votes to files and back, and the verbs that do it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.errors import BenchError
from bench.report.tables.printed_table import to_latex
from study_app.analysis import preference_scores
from study_app.cli.main import app as verbs
from study_app.pipeline import export
from study_app.store.store import Store
from study_app.store.tidy_tables import VOTE_COLUMNS
from tests.study_app.store.test_store import Person


@pytest.fixture
def rated(where: str) -> str:
    """A study with six raters' votes, one of whom withdrew."""
    store = Store(where)
    people = [Person(store) for _ in range(6)]
    for person in people:
        person.finish()
    people[0].study.withdraw(people[0].token)
    return where


def test_an_export_read_back_gives_the_same_tallies(rated: str, tmp_path: Path) -> None:
    paths = export.export(Store(rated).open(), tmp_path / "out")
    tables = [f"{table}.{ending}" for table in ("table2", "table3") for ending in ("csv", "json", "tex", "md")]
    long = ["votes_long.csv", "votes_long_dictionary.csv", "crossed_logistic.R"]
    assert [p.name for p in paths] == [
        "votes.csv",
        "pos.csv",
        *long,
        "study.json",
        *tables,
        "raters.csv",
        "screens.csv",
    ]
    store = Store(rated)
    study = store.open()
    votes = export.read_votes(paths[0])
    assert list(votes.columns) == VOTE_COLUMNS
    again = preference_scores.pos_table(votes, study.settings.comparisons)
    pd.testing.assert_frame_equal(again, preference_scores.pos_table(study.votes(), study.settings.comparisons))
    pd.testing.assert_frame_equal(again, pd.read_csv(paths[1]), check_dtype=False)
    assert again["votes"].sum() == 112 - 24
    assert (votes["excluded"] == "withdrawn").sum() == 30
    found = json.loads(paths[5].read_text())
    assert [line["pos"] for line in found["pos"]] == pytest.approx(list(again["pos"]))
    assert set(votes["video"]) == {clip[:7] for clip in votes["clip"]}
    ranks = found["bradley_terry"]
    assert {line["system"] for line in ranks["rank_sets"]} == {line["system"] for line in ranks["strengths"]}
    assert len(ranks["contrasts"]) == len(ranks["strengths"]) * (len(ranks["strengths"]) - 1) / 2
    assert not [name for name in found["settings"] if name.endswith("_code")]
    assert "NaN" not in paths[5].read_text()


def test_the_tables_stand_beside_the_papers_figures() -> None:
    columns = dict.fromkeys(preference_scores.POS_COLUMNS, 0.0)
    rows = [
        {**columns, "first": "mdgan-2", "second": "vgan", "votes": 100, "pos": 88.0, "ci_low": 80.1, "ci_high": 93.6},
        {**columns, "first": "real", "second": "vgan", "votes": 50, "pos": 90.0, "ci_low": 78.2, "ci_high": 96.7},
        {**columns, "first": "mdgan-2", "second": "real", "votes": 40, "pos": 20.0, "ci_low": 9.0, "ci_high": 36.0},
    ]
    pos = pd.DataFrame(rows).assign(simulated=False)
    two, three = (to_latex(export.paper_table(name, pos)) for name in ("table2", "table3"))
    assert r"MD-GAN over VGAN & 88 [80, 94] & 100 & 92 \\" in two
    assert r"VGAN over Real & 10 [3, 22] & 50 & 5 \\" in two  # the study had it the other way round
    assert r"MD-GAN over RNN-GAN & -- & 0 & 97 \\" in two
    assert r"Stage II over Real & 20 [9, 36] & 40 & 16 \\" in three
    assert all(rule in two for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert "imulated" not in two + three
    marked = to_latex(export.paper_table("table2", pos.assign(simulated=True)))
    assert "Simulated raters, not people" in marked
    assert "Ours (simulated)" in marked


def test_files_that_are_no_votes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    for name, sentence in (("a.csv", "it has other columns"), ("none.csv", "cannot be read")):
        with pytest.raises(BenchError, match=sentence):
            export.read_votes(tmp_path / name)


def test_words_of_another_language_are_not_taken_for_true(rated: str, tmp_path: Path) -> None:
    text = export.export(Store(rated).open(), tmp_path)[0].read_text()
    path = tmp_path / "votes.csv"
    path.write_text(text.replace("False", "FALSCH").replace("True", "WAHR"))
    with pytest.raises(BenchError, match=r"has 'FALSCH' in the column catch: expected True or False"):
        export.read_votes(path)
    path.write_text(text.replace("False", "FALSE").replace("True", "TRUE"))  # as an English spreadsheet writes it
    assert not export.read_votes(path)["simulated"].any()
    path.write_text(text.partition("\n")[0] + "\n")
    assert export.read_votes(path).empty


def test_an_unrated_study_exports_too(sqlite: str, tmp_path: Path) -> None:
    paths = export.export(Store(sqlite).open(), tmp_path)
    assert len(export.read_votes(paths[0])) == 0
    assert "MD-GAN over VGAN & -- & 0 & 92" in (tmp_path / "table2.tex").read_text()


def call(*words: str) -> str:
    """Run a verb of the study; returns what it prints."""
    result = CliRunner().invoke(verbs, list(words))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_the_verbs(run_folder: Path, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = str(Store(where).url.render_as_string(hide_password=False))
    monkeypatch.setenv("BENCH_DATABASE_URL", url)
    flags = ["--name", "cli", "--clips", "6", "--workload", "8", "--catch", "2", "--catch-pass", "2", "--practice", "1"]
    flags += ["--accept-weak-catch"]
    said = call("create", "--run", str(run_folder), *flags, "--comparison", "mdgan-2:vgan", "--comparison", "copy:real")
    assert "2 comparisons, 12 votes needed, 8 trials per rater; raters must pass 2 of 2 catch trials" in said
    assert "simulated votes in the study 'cli simulated 1'" in call("simulate", "--study", "cli", "--raters", "2")
    status = json.loads(call("status", "--study", "cli simulated 1", "--json"))
    assert status["simulated"]
    assert status["schedule_intact"]
    assert status["wanted"] == 12
    assert "0 of 12 votes" in call("status", "--study", "cli")
    out = tmp_path / "files"
    assert "table2.tex" in call("export", "--study", "cli simulated 1", "--out", str(out))
    assert "Simulated raters" in (out / "table2.tex").read_text()
    wrong = CliRunner().invoke(verbs, ["create", "--run", str(run_folder), "--comparison", "a-b"])
    assert isinstance(wrong.exception, BenchError)
    missing = CliRunner().invoke(verbs, ["serve", "--db", str(tmp_path / "none.db")])
    assert isinstance(missing.exception, BenchError)


def test_the_verb_that_plans(tmp_path: Path) -> None:
    design = ["--comparisons", "7", "--raters", "30", "--clips", "100", "--votes", "1", "--preference", "0.6"]
    said = call("plan", *design, "--out", str(tmp_path))
    assert "7 comparisons of 100 votes (100 clips of 100 videos, 1 per pair), 30 raters of 24 trials each" in said
    assert "For 80 % power after Holm with 1 per pair:" in said
    assert all((tmp_path / f"plan.{ending}").stat().st_size > 500 for ending in ("json", "csv", "png", "pdf"))
    planned = json.loads(call("plan", *design, "--json"))
    assert planned == json.loads((tmp_path / "plan.json").read_text())
    assert planned["exact"][1]["trials_for_80_power"] == 210
    assert planned["power"]["corrected"] < planned["power"]["alone"] < 0.5
    assert 324 < planned["safe_votes"] < 800  # more than independent votes would need
