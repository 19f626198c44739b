"""Trying a study out leaves the study as it was."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from study_app.pipeline import copies, export
from study_app.pipeline.status import lines, status
from study_app.store.messages import Answer
from study_app.store.store import Store
from study_app.web import preview
from tests.study_app.conftest import free_port, wait_for


def test_votes_in_a_pilot_are_not_in_the_study(where: str, tmp_path: Path) -> None:
    name = copies.pilot(Store(where), Store(where).open()).name
    store = Store(where)
    study, pilot = store.open(), store.open(name)  # the study is still the one that is meant without a name
    assert (study.name, pilot.name) == ("study", "study pilot 1")
    assert pilot.schedule().sha256 == study.schedule().sha256
    token = secrets.token_urlsafe(32)
    pilot.enrol(token)
    pilot.vote(token, pilot.view(token).trials[0], Answer("left", 900))
    assert (len(study.votes()), len(pilot.votes())) == (0, 1)
    assert lines(status(Store(where).open(name)))[0].startswith("Study 'study pilot 1' (pilot)")
    export.export(Store(where).open(name), tmp_path)
    assert "Pilot: these votes do not count for the study." in (tmp_path / "study.json").read_text()
    assert copies.pilot(Store(where), Store(where).open()).name == "study pilot 2"
    with pytest.raises(BenchError, match="already a copy"):
        copies.pilot(Store(where), Store(where).open(name))


def test_a_preview_is_a_copy_elsewhere(sqlite: str, tmp_path: Path) -> None:
    before = Path(sqlite).read_bytes()
    database, name = preview.prepare(Store(sqlite).open(), tmp_path / "elsewhere")
    assert Store(database).names() == [name]
    assert Store(database).open(name).settings.pilot
    assert Path(sqlite).read_bytes() == before


@pytest.mark.process
def test_a_preview_that_is_ended_leaves_neither_server_nor_copy(sqlite: str, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "temporary"
    folder.mkdir()
    env = {**os.environ, "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "study_app.cli.main", "preview", "--db", sqlite, "--port", str(port)]
    process = subprocess.Popen(command, env=env, cwd=Path(__file__).parents[3])
    try:
        wait_for(f"http://127.0.0.1:{port}", lambda: process.poll() is None, Path(os.devnull))
        assert list(folder.glob("preview-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 128 + signal.SIGTERM
    finally:
        process.terminate()  # which ends its server, too
        process.wait(120)
    assert not list(folder.glob("preview-*"))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_preview_that_is_ended_while_its_server_starts_leaves_nothing(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Server:
        def __init__(self, *_: object, **__: object) -> None:
            assert list(tmp_path.glob("preview-*"))
            os.kill(os.getpid(), signal.SIGTERM)

        def terminate(self) -> None:
            said.append("terminate")
            os.kill(os.getpid(), signal.SIGTERM)  # of somebody who cannot wait

        def wait(self) -> int:
            said.append("wait")
            return 0

    monkeypatch.setattr(preview.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(preview.subprocess, "Popen", Server)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        preview.preview(Store(sqlite).open(), 1, "127.0.0.1")
    assert ended.value.code == 128 + signal.SIGTERM
    assert said == ["terminate", "wait"]
    assert not list(tmp_path.glob("preview-*"))
    assert signal.getsignal(signal.SIGTERM) is before
