"""Flagged answers are told wherever a tally is, and the rule on who has too many is stated beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from study_app.pipeline import export
from study_app.pipeline.create import create
from study_app.pipeline.registration import registration
from study_app.pipeline.status import lines, status
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import LEFT, Clock, Person

HASTY = replace(LEFT, response_ms=1)


def test_flags_are_told_in_status_and_notes(run_folder: Path, tmp_path: Path) -> None:
    create(tmp_path / "s.db", study_request(run_folder, catch=0, catch_pass=0))
    person = Person(Store(tmp_path / "s.db"))
    view = person.view()
    while view.state == "rating":
        view = person.vote(view.trials[0], HASTY)
    study = person.study
    told = status(study)
    assert (told["counted"], told["flags"]) == (24, {"fast": 24, "undelivered": 24})
    sentence = "Flagged among 24 counted answers: 24 fast, 24 undelivered."
    assert sentence in lines(told)
    assert sentence in export.results(study.votes(), study.settings).notes
    assert export.outcomes(study).files["study.json"].count(sentence) == 1


def test_raters_with_too_many_flags_do_not_count_by_a_rule_that_is_registered(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("study", "clips"):
        monkeypatch.setattr(f"study_app.store.{module}.datetime", Clock)
    create(tmp_path / "s.db", study_request(run_folder, catch=0, catch_pass=0, flagged_share=0.5))
    store = Store(tmp_path / "s.db")
    rules = registration(store.open()).contents[0]["rules"]
    assert any("more than 50 % of their answers are flagged fast, unfocused" in rule for rule in rules)
    hasty, careful = Person(store), Person(store)
    for person, flagged in ((hasty, 14), (careful, 13)):
        view = person.view()
        for number in range(26):
            person.study.media(person.token, view.trials[0])
            Clock.moment += timedelta(seconds=1)
            answer = replace(LEFT, focus_losses=int(number < flagged))
            view = person.vote(view.trials[0], answer)
    assert list(store.open().raters()["excluded"]) == ["flagged: 14 of 26 answers; the rule allows at most 50 %", ""]
    assert store.open().progress()["votes"].sum() == 24
