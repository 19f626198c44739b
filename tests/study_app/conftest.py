"""Real databases, a real app process and a real browser for the study's tests."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the study needs its extra: pip install 'timelapse-bench[study]'")
pytest.importorskip("sqlalchemy", reason="the study needs its extra: pip install 'timelapse-bench[study]'")

from sqlalchemy import text

from study_app.design.settings import StudyRequest
from study_app.pipeline.create import create
from study_app.store import participants, votes
from study_app.store.connection import database
from study_app.store.store import Store
from study_app.web import serve
from study_app.web.new_sessions import LIMIT_VARIABLE
from study_app.web.served_study import PASSWORD_VARIABLE
from tests.study_app import forked
from tests.study_app.runfolder import write_run

PASSWORD = "correct horse battery"
#: The store's own check that a pair was delivered and can have been seen.
CHECK_SEEN = votes._check_seen
NEW_DRAW = participants.new_draw


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let raters of this process answer without looking, as a test cannot wait for a play of each pair.

    Their sessions are drawn by their ids, so that chance decides no test. App processes, and raters in processes of
    their own, have the check and the draws; so have the tests of them.
    """
    monkeypatch.setattr(votes, "_check_seen", lambda *_: None)
    monkeypatch.setattr(participants, "new_draw", lambda: None)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 30 clips and five rows."""
    return write_run(tmp_path_factory.mktemp("run"), clips=30)


def study_request(run: Path, **changes: object) -> StudyRequest:
    """A study of 16 clips, 112 slots, whose clips play in an eighth of a second; short, so with few catch trials."""
    chosen = {"clips": 16, "workload": 24, "practice": 2, "catch": 4, "catch_pass": 3, "rate": 60.0, "seed": 7}
    chosen["flagged_share"] = 1.0  # raters of tests do not take their time
    return StudyRequest(runs=(run,), accept_weak_catch=True, **{**chosen, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def template(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite study nobody has rated; tests take copies."""
    path = tmp_path_factory.mktemp("template") / "study.db"
    create(path, study_request(run_folder))
    with Store(path).engine.connect() as connection:  # all of it in the one file
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


_ports = count(secrets.randbelow(1000))


def free_port() -> int:
    """A port that nobody listens at.

    Between this and the start of a server, nobody else gets it: the system hands out ports from 32768 on, and each
    worker of a test run has a range of its own below.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 20_000 + 1000 * (worker % 12) + next(_ports) % 1000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Iterator[Callable[[], str]]:
    """A throw-away PostgreSQL server; gives URLs of fresh databases with the template study."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    bin = programs[-1].parent
    # sockets have short paths, and the server's user must be able to get there
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/pg-XXXXXX"], text=True).strip())
    user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/tmp"}
    subprocess.run([*user, bin / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], **quiet)
    port = free_port()
    # the server itself is never killed, so it need not wait for the disk
    options = f"-k {folder} -p {port} -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off"
    subprocess.run(
        [*user, bin / "pg_ctl", "-D", data, "-w", "-t", "600", "-l", folder / "log", "-o", options, "start"], **quiet
    )
    base = f"postgresql://postgres@127.0.0.1:{port}"
    admin = database.connect(database.resolve(f"{base}/postgres")).execution_options(isolation_level="AUTOCOMMIT")
    made = 0

    def fresh() -> str:
        nonlocal made
        made += 1
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE study{made} TEMPLATE template_study"))
        return f"{base}/study{made}"

    try:
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE template_study"))
        create(f"{base}/template_study", study_request(run_folder))
        with admin.connect() as connection:
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template_study'"
            connection.execute(text(gone))
        yield fresh
    finally:
        admin.dispose()
        subprocess.run([*user, bin / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sqlite(template: Path, tmp_path: Path) -> str:
    """A fresh copy of the template study."""
    return str(shutil.copy(template, tmp_path / "study.db"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.process)])
def where(request: pytest.FixtureRequest) -> str:
    """The study in each kind of database."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite"))
    return str(request.getfixturevalue("postgres")())


class AppProcess:
    """One app process of a study, killed like a machine that loses power."""

    def __init__(self, where: str, log: Path, **env: str) -> None:
        self.where, self.log, self.env = where, log, env
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        limits = {PASSWORD_VARIABLE: PASSWORD, LIMIT_VARIABLE: "0"}
        env = {**serve.environment(self.where, None), **limits, **self.env}
        command = serve.command(self.port, "127.0.0.1")
        self.process = forked.start(forked.run_module, command, env, serve.APP.parent, self.log)
        try:
            wait_for(self.url, self.process.is_alive, self.log)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join()


def wait_for(url: str, alive: Callable[[], bool], log: Path) -> None:
    """Wait until an app answers."""
    until = time.monotonic() + 120
    while alive() and time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the app did not start:\n{log.read_text()}")


@pytest.fixture
def app(sqlite: str, tmp_path: Path) -> Iterator[AppProcess]:
    """The app on a fresh SQLite study."""
    process = AppProcess(sqlite, tmp_path / "app.log")
    yield process
    process.kill()
