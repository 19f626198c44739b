"""Planned looks and a margin, from creation to export; and what a study without them has registered."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import BenchError
from study_app.design.settings import StudyRequest
from study_app.pipeline.create import create
from study_app.pipeline.export import outcomes
from study_app.pipeline.extend import extend
from study_app.pipeline.registration import ANALYSIS, RULES, registration
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, rate, simulate
from study_app.store.store import Store
from tests.study_app.conftest import study_request

ONE = {"comparisons": (("mdgan-2", "vgan"),), "clips": 12, "workload": 12, "practice": 0, "catch": 0, "catch_pass": 0}


def test_a_study_of_two_looks_says_what_each_decides_and_takes_no_third(run_folder: Path, tmp_path: Path) -> None:
    create(tmp_path / "s.db", study_request(run_folder, **ONE, looks=2, boundary="pocock", margin=20.0))
    store = Store(tmp_path / "s.db")
    crowd = Crowd(PAPER_STRENGTHS, 0.2, 0.2)
    study, votes = simulate(store, store.open(), 3, crowd)
    assert votes == 12
    content = registration(study).contents[0]
    assert any("looked at 2 times" in line and "pocock" in line for line in content["analysis"])
    assert any("within 20 percent" in line for line in content["analysis"])
    assert not any("outcomes are not looked at before" in rule for rule in content["rules"])

    first = outcomes(study).files
    table = pd.read_csv(io.StringIO(first["looks.csv"]))
    assert table[["look", "looks", "fraction", "votes"]].to_numpy().tolist() == [[1, 2, 0.5, 12]]
    assert json.loads(first["study.json"])["looks"][0]["look"] == 1
    assert set(pd.read_csv(io.StringIO(first["equivalence.csv"]))["measure"]) == {"pos", "strength"}

    extend(study, StudyRequest(runs=(), votes=1))
    assert sum(rate(study, crowd, 9, number) for number in range(10, 13)) == 12
    table = pd.read_csv(io.StringIO(outcomes(study).files["looks.csv"]))
    assert table[["look", "fraction", "votes"]].to_numpy().tolist() == [[1, 0.5, 12], [2, 1.0, 24]]
    with pytest.raises(BenchError, match="2 planned looks of 12 votes each"):
        extend(study, StudyRequest(runs=(), votes=1))


def test_looks_and_margins_that_are_none(run_folder: Path, tmp_path: Path) -> None:
    for wrong, sentence in (
        ({"looks": 0}, "1 to 20 planned looks"),
        ({"looks": 3, "boundary": "haybittle"}, "is 'haybittle'"),
        ({"margin": 50.0}, "is 50 percent: expected above 0 and below 50"),
    ):
        with pytest.raises(BenchError, match=sentence):
            create(tmp_path / "s.db", study_request(run_folder, **ONE, **wrong))


def test_a_study_without_either_registers_what_version_0_2_did(sqlite: str) -> None:
    content = registration(Store(sqlite).open()).contents[0]
    assert content["analysis"] == list(ANALYSIS)
    assert content["rules"][:-1] == list(RULES)
    assert "looks.csv" not in outcomes(Store(sqlite).open()).files
