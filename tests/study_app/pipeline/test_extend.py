"""Votes and clips are added to a study that runs; its schedule can be rebuilt, and its registration says what came."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from bench.data.predictions import Predictions
from bench.errors import BenchError
from bench.runfolder import REAL
from study_app.cli.main import app
from study_app.design import clip_encoding
from study_app.design.schedule import Addition
from study_app.design.settings import StudyRequest
from study_app.pipeline import export
from study_app.pipeline.copies import pilot
from study_app.pipeline.extend import extend
from study_app.pipeline.registration import registration
from study_app.pipeline.simulate import Crowd, simulate
from study_app.pipeline.status import lines, status
from study_app.store.messages import Answer
from study_app.store.store import Store
from tests.study_app.design.test_schedule_extension import draw_whole_schedule
from tests.study_app.pipeline.test_create import rewrite
from tests.study_app.runfolder import FRAMES, SIZE, write_run

TOKEN = "somebody who is at it"


def study_request(*runs: Path, **changes: object) -> StudyRequest:
    return StudyRequest(runs=runs, **{"votes": 0, **changes})  # type: ignore[arg-type]


def test_votes_and_clips_are_added_while_somebody_rates(where: str, run_folder: Path) -> None:
    study = Store(where).open()
    before, hashes = study.schedule(), registration(study).sha256s
    study.enrol(TOKEN)
    trial, following = study.view(TOKEN).trials
    assert "Added 35 votes to the study 'study', which now needs 147" in extend(
        Store(where).open(), study_request(run_folder, clips=5, seed=3)
    )
    assert "Added 147 votes" in extend(Store(where).open(), study_request(votes=1, seed=4))
    view = study.vote(TOKEN, trial, Answer("left", 900))
    assert view.trials[0] == following
    after = study.schedule()
    added = [Addition(row.seed, row.votes, tuple(json.loads(row.scenes))) for row in study.extensions()]
    assert after.to_bytes() == draw_whole_schedule(study.settings, study.row.seed, added).to_bytes()
    assert after.trials[:112] == before.trials
    assert {pair.scene for pair in after.trials[112:]}.isdisjoint(pair.scene for pair in before.trials)
    assert int(study.progress()["wanted"].sum()) == len(after.slots) == 2 * 147
    said = status(Store(where).open())
    assert (said["schedule_intact"], said["extended"], said["wanted"]) == (True, 2, 294)
    assert lines(said)[0].startswith("Study 'study': ")
    made = registration(study)
    assert made.intact
    assert made.sha256s[0] == hashes[0]  # what was registered at first stands
    assert len(set(made.sha256s)) == 3
    first, second = json.loads(made.text)["added"]
    assert (len(first["scenes"]), first["votes"], second["scenes"], second["votes"]) == (5, 0, [], 1)
    assert [first["sha256_before"], second["sha256_before"]] == list(made.sha256s[:2])
    for token in ("one more", "and another", "and a third"):  # new pairs come to raters like any other
        study.enrol(token)
        view = study.view(token)
        while view.state == "rating":
            assert all(study.media(token, view.trials[0]))
            view = study.vote(token, view.trials[0], Answer("left", 900))
    with pytest.raises(DBAPIError, match="append only"), Store(where).engine.begin() as connection:
        connection.execute(text("UPDATE extension SET seed = 1"))


def test_an_extension_that_was_changed_is_seen(sqlite: str, tmp_path: Path) -> None:
    extend(Store(sqlite).open(), study_request(votes=1))
    file = tmp_path / "registration.json"
    done = CliRunner().invoke(app, ["register", "--db", sqlite, "--out", str(file)])
    assert hashlib.sha256(file.read_bytes()).hexdigest() in done.output
    export.export(Store(sqlite).open(), tmp_path)
    said = json.loads((tmp_path / "study.json").read_text())["registration"]
    assert (said["intact"], len(said["hashes"]), said["added"][0]["votes"]) == (True, 2, 1)
    with Store(sqlite).engine.begin() as connection:
        connection.execute(text("UPDATE slot SET first_on_left = NOT first_on_left WHERE repeat = 1 AND pair_id = 3"))
    assert registration(Store(sqlite).open()).intact is False
    assert status(Store(sqlite).open())["schedule_intact"] is False


def test_longer_clips_make_all_messages_longer(sqlite: str, tmp_path: Path, run_folder: Path) -> None:
    extend(Store(sqlite).open(), study_request(run_folder))
    study = Store(sqlite).open()
    with pytest.raises(BenchError, match="no clips that are new to the study"):
        extend(Store(sqlite).open(), study_request(run_folder))
    before = study.slot_bytes()
    noisy = write_run(tmp_path / "noisy", clips=31)
    only = sorted(set(Predictions(noisy / "predictions" / REAL).ids) - set(study.settings.scenes))
    for row in ("real", "mdgan-1", "mdgan-2", "vgan", "rnngan"):
        noise = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
        rewrite(noisy, row, only[0], noise + np.uint8(row == "vgan"))
    extend(Store(sqlite).open(), study_request(noisy))
    assert [json.loads(row.scenes) for row in study.extensions()][1] == only
    assert study.slot_bytes() > before  # of every pair's message: what is longer must not stand out
    study.enrol(TOKEN)
    left, right = study.media(TOKEN, study.view(TOKEN).trials[0])
    assert len(clip_encoding.message(left, right, study.slot_bytes())) == 2 * study.slot_bytes()


def test_what_cannot_be_added(sqlite: str, tmp_path: Path, run_folder: Path) -> None:
    study = Store(sqlite).open()
    for nothing in (study_request(), study_request(votes=-1)):
        with pytest.raises(BenchError, match="nothing to add"):
            extend(Store(sqlite).open(), nothing)
    with pytest.raises(BenchError, match="do not contain 'vgan'"):
        extend(Store(sqlite).open(), study_request(write_run(tmp_path / "few", clips=40, rows=("mdgan-1", "mdgan-2"))))
    with pytest.raises(BenchError, match="must match"):
        extend(Store(sqlite).open(), study_request(write_run(tmp_path / "small", clips=34, size=16), clips=2))
    renamed = tmp_path / "renamed"
    shutil.copytree(run_folder, renamed)
    for folder in (renamed / "predictions").iterdir():
        manifest = json.loads((folder / "manifest.json").read_text())
        known = study.schedule().trials[0].scene
        manifest["clips"]["new"] = manifest["clips"].pop(known)
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BenchError, match="clip new is already in the study under another name"):
        extend(Store(sqlite).open(), study_request(renamed))
    study.change("close", "a test")
    with pytest.raises(BenchError, match=r"is closed. Run `bench study reopen` first"):
        extend(Store(sqlite).open(), study_request(votes=1))
    assert study.schedule().sha256 == study.row.schedule_sha256
    study.change("reopen", "a test")
    done = CliRunner().invoke(app, ["extend", "--db", sqlite, "--votes", "1"])
    assert "now needs 224" in done.output


def test_copies_of_a_study_that_was_extended(sqlite: str) -> None:
    extend(Store(sqlite).open(), study_request(votes=1))
    store = Store(sqlite)
    for name in (
        pilot(store, store.open("study")).name,
        simulate(store, store.open("study"), 1, Crowd({}))[0].name,
    ):
        assert store.open(name).schedule() == store.open("study").schedule()
        assert status(Store(sqlite).open(name))["schedule_intact"]
