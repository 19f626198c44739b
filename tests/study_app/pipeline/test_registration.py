"""A study is what was registered, or it can be seen that it is not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from bench.errors import BenchError
from study_app.cli.main import app
from study_app.design.question_file import parse
from study_app.pipeline import export
from study_app.pipeline.create import create
from study_app.pipeline.registration import register, registration
from study_app.store.store import Store
from tests.study_app.conftest import study_request


def test_what_was_registered_is_checked_when_the_study_is_exported(sqlite: str, tmp_path: Path) -> None:
    store = Store(sqlite)
    study = store.open()
    file = tmp_path / "registration.json"
    done = CliRunner().invoke(app, ["register", "--db", sqlite, "--out", str(file)])
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert sha256 in done.output
    assert study.registered() == (sha256,)  # recorded when the study was made
    said = json.loads(file.read_text())
    assert said["design"]["catch_pass"] == 3
    assert "mdgan-2 is chosen over vgan not as often as not" in said["hypotheses"]
    assert not {"run", "completion_code"} & set(said["design"])
    export.export(Store(sqlite).open(), tmp_path / "before")
    assert json.loads((tmp_path / "before" / "study.json").read_text())["registration"]["intact"] is True
    with store.engine.begin() as connection:
        kept = connection.execute(text("SELECT settings FROM study")).scalar_one()
        eased = kept.replace('"catch_pass":3', '"catch_pass":1')
        connection.execute(text("UPDATE study SET settings = :eased"), {"eased": eased})
    export.export(Store(sqlite).open(), tmp_path / "after")
    assert json.loads((tmp_path / "after" / "study.json").read_text())["registration"]["intact"] is False
    done = CliRunner().invoke(app, ["register", "--db", sqlite, "--out", str(file)])
    assert isinstance(done.exception, BenchError)
    assert "differs from its registration" in str(done.exception)


def test_a_study_that_was_made_before_there_was_a_registration(where: str) -> None:
    store = Store(where)
    study = store.open()
    with store.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_no_delete"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        connection.execute(text("DELETE FROM audit WHERE action = 'registered'"))
    assert registration(study).intact is None
    assert register(study, "a test").intact is True
    assert register(study, "a test").recorded == study.registered()


@pytest.mark.parametrize("change", ["UPDATE slot SET first_on_left = NOT first_on_left WHERE id = 1"])
def test_a_schedule_that_was_changed_is_seen(sqlite: str, change: str) -> None:
    store = Store(sqlite)
    with store.engine.begin() as connection:
        connection.execute(text(change))
    assert registration(store.open()).intact is False


def test_what_is_asked_is_registered_and_studies_from_before_stay_intact(sqlite: str, run_folder: Path) -> None:
    with Store(sqlite).engine.begin() as connection:  # as a version wrote it that asked nothing else
        kept = json.loads(connection.execute(text("SELECT settings FROM study")).scalar_one())
        before = json.dumps({key: value for key, value in kept.items() if key != "questions"})
        connection.execute(text("UPDATE study SET settings = :before"), {"before": before})
    assert "questions" not in registration(Store(sqlite).open()).contents[-1]["design"]
    assert Store(sqlite).open().settings.questions == parse({})
    asked = parse({"cannot_tell": True, "closing": [{"id": "remarks", "text": "Else?", "type": "text"}]})
    create(sqlite, study_request(run_folder, name="ties", questions=asked, clips=4, workload=4, practice=0))
    made = registration(Store(sqlite).open("ties"))
    assert made.contents[-1]["design"]["questions"]["cannot_tell"] is True
    assert any("Ties are left out" in line for line in made.contents[-1]["analysis"])
    assert made.intact is True
