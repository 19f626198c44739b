"""What strangers can ask the app for."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from study_app.design.flags import one_play
from study_app.pipeline.status import status
from study_app.store.store import Store
from study_app.web import rater_api
from tests.study_app.conftest import AppProcess, wait_for

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def running(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """One app for all of these tests."""
    import shutil

    folder = tmp_path_factory.mktemp("http")
    app = AppProcess(str(shutil.copy(template, folder / "study.db")), folder / "log")
    yield app
    app.kill()


def ask(
    app: AppProcess, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Send exactly this path: no client-side clean-up of dots."""
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    given = {"content_type": "application/json", **headers} if method == "POST" else headers
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in given.items()})
    reply = connection.getresponse()
    return reply.status, reply.read(), {k.lower(): v for k, v in reply.getheaders()}


def person(app: AppProcess) -> tuple[str, str]:
    """A rater's token and first trial, which they have seen."""
    store, token = Store(app.where), secrets.token_urlsafe(32)
    study = store.open()
    study.enrol(token)
    trial = study.view(token).trials[0]
    study.media(token, trial)
    time.sleep(one_play(study.settings).total_seconds())
    return token, trial


@pytest.mark.parametrize(
    "path",
    [
        "/study.db",
        "/study.db-wal",
        "/study.db.secret",
        "/app/static/study.db",
        "/static/../study.db",
        "/trial/clips/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/trial/clips/../../../../etc/passwd",
        "/trial/clips/%2e%2e/%2e%2e/study.db",
        "/media/../../../../etc/passwd",
        "/component/pair/../../store.py",
        "//etc/passwd",
        "/..%5c..%5cstudy.db",
    ],
)
def test_no_file_of_the_machine_is_served(running: AppProcess, path: str) -> None:
    token, _ = person(running)
    _, body, _ = ask(running, "GET", path, x_rater=token)
    assert b"SQLite format" not in body
    assert b"root:" not in body
    assert b"BEGIN IMMEDIATE" not in body
    assert b"sessionmaker" not in body


def test_the_first_page_is_small_and_says_something_at_once(running: AppProcess) -> None:
    code, page, headers = ask(running, "GET", "/?PROLIFIC_PID=somebody")
    assert code == 200
    assert b'<p role="status">Loading' in page
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "no-cache" in headers["cache-control"]
    files = re.findall(rb"(?:href|src)=\"(rater/[\w.]+)\"", page)
    assert len(files) == 9
    bodies = [ask(running, "GET", f"/{file.decode()}")[1] for file in files]
    hello = ask(running, "POST", "/trial/hello", b"{}")[1]
    assert json.loads(hello)["view"] is None  # nobody is enrolled by looking
    assert len(page) + sum(map(len, bodies)) + len(hello) < 80_000  # Streamlit's page is four megabytes
    assert b"stApp" not in page
    assert ask(running, "GET", "/?admin")[1] != page


def test_who_does_not_agree_is_counted_and_not_kept(running: AppProcess) -> None:
    study = Store(running.where).open()
    raters = len(study.raters())
    for count in (1, 2):
        assert ask(running, "POST", "/trial/decline", b'{"link": {"PROLIFIC_PID": "5f3c9a"}}')[0] == 200
        assert study.declined() == count
    assert len(study.raters()) == raters
    assert status(Store(running.where).open())["declined"] == 2


def test_what_was_measured_of_a_screen_is_kept_where_it_makes_sense(running: AppProcess) -> None:
    seen = {"clip_px": 300, "pixel_ratio": 2, "width": 391, "height": 844, "dropped": 1, "layout": "stacked"}
    card = {"pointer": "coarse", "pauses": 1, "dots_per_mm": 12, "distance_cm": 40}
    strange = {**card, "pauses": -1, "dots_per_mm": "wide", "distance_cm": 1e9}
    rows = []
    for said in (card, strange, {**card, "distance_cm": None}):
        token, trial = person(running)
        vote = {"trial": trial, "chosen": "left", "response_ms": 1, "replays": 0, "focus_losses": 0}
        body = json.dumps({**vote, "screen": {**seen, **said}}).encode()
        assert ask(running, "POST", "/trial/vote", body, x_rater=token)[0] == 200
        rows.append(Store(running.where).open().screens().iloc[-1])
    assert list(rows[0][["pauses", "dots_per_mm", "distance_cm"]]) == [1, 12, 40]
    assert rows[0]["degrees"] == pytest.approx(7.15, abs=0.01)  # 600 dots are 50 mm, seen from 400 mm
    assert all(row[["dots_per_mm", "distance_cm", "degrees"]].isna().all() for row in rows[1:])
    assert rows[1]["clip_px"] == 300


def test_a_screen_that_makes_no_sense_stops_no_vote(running: AppProcess) -> None:
    seen = {"clip_px": 192, "pixel_ratio": 2, "width": 391, "height": 844, "dropped": 1, "layout": "stacked"}
    seen |= {"pointer": "coarse"}
    store = Store(running.where)
    before = len(store.open().screens())
    for screen in (
        None,
        [],
        "wide",
        {**seen, "clip_px": "NaN"},
        {**seen, "layout": "<b>"},
        {**seen, "width": -1},
        seen,
    ):
        token, trial = person(running)
        vote = {"trial": trial, "chosen": "left", "response_ms": 10, "replays": 0, "focus_losses": 0, "screen": screen}
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        said = ask(running, "POST", "/trial/vote", json.dumps(vote).encode(), x_rater=token, user_agent=agent)
        assert (said[0], json.loads(said[1])["answered"]) == (200, 1)
    kept = store.open().screens().iloc[before:]
    columns = ["clip_px", "screen_px", "window", "layout", "pointer", "browser", "dropped"]
    assert kept[columns].to_numpy().tolist() == [[192.0, 384, "400x850", "stacked", "coarse", "Firefox", 1]]


def test_who_has_failed_is_not_sent_to_the_address_of_who_is_complete(running: AppProcess) -> None:
    token, _ = person(running)
    said = json.loads(ask(running, "POST", "/trial/end", b"{}", x_rater=token)[1])
    assert said == {"code": "", "url": "", "elsewhere": False}  # while it goes on
    status, _, _ = ask(running, "POST", "/trial/withdraw", b"{}", x_rater=token)
    said = json.loads(ask(running, "POST", "/trial/end", b"{}", x_rater=token)[1])
    assert (status, bool(said["code"]), said["url"]) == (200, True, "")


def test_nobody_enrols_under_a_token_of_their_own_making(running: AppProcess) -> None:
    for token in ("", "short", "x" * 44):
        assert ask(running, "POST", "/trial/enrol", b"{}", x_rater=token)[0] == 403
    link = b'{"link": {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}}'
    status, said, _ = ask(running, "POST", "/trial/hello", link)
    assert (status, "link is not complete" in json.loads(said)["message"]) == (403, True)


def test_votes_need_a_token_and_an_own_trial(running: AppProcess) -> None:
    mine, trial = person(running)
    other, theirs = person(running)
    before = len(Store(running.where).open().votes())
    vote = {"trial": theirs, "chosen": "left", "response_ms": 10, "replays": 0, "focus_losses": 0}
    for token in ("", "invented", mine, mine[:-1]):
        status, body, _ = ask(running, "POST", "/trial/vote", json.dumps(vote).encode(), x_rater=token)
        assert status == 403
        assert b"Traceback" not in body
        assert ask(running, "GET", f"/trial/clips/{theirs}", x_rater=token)[0] == 410 or token == mine
        assert b"RIFF" not in ask(running, "GET", f"/trial/clips/{theirs}", x_rater=token)[1]
    store = Store(running.where)
    assert len(store.open().votes()) == before
    status, body, headers = ask(running, "POST", "/trial/vote", json.dumps(vote).encode(), x_rater=other)
    assert status == 200
    assert set(json.loads(body)) == {"state", "answered", "total", "trials", "place", "feedback", "part", "altered"}
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(running, "GET", f"/trial/clips/{trial}", x_rater=mine, accept_encoding="gzip")[2]["content-length"]


def test_a_disk_that_is_full_while_somebody_votes(running: AppProcess) -> None:
    token, trial = person(running)
    vote = {"trial": trial, "chosen": "left", "response_ms": 10, "replays": 0, "focus_losses": 0}
    body = json.dumps(vote).encode()
    hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (4096, hard))  # no file may grow beyond a page
    try:
        status, said, _ = ask(running, "POST", "/trial/vote", body, x_rater=token)
        assert status == 503
        assert json.loads(said) == {"message": rater_api.SORRY}
    finally:
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    status, said, _ = ask(running, "POST", "/trial/vote", body, x_rater=token)  # as the player sends it again
    assert (status, json.loads(said)["answered"]) == (200, 1)
    store = Store(running.where)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b"{" * 5000, 413),
        (b"[" * 4000, 400),
        (b'{"chosen":' * 400, 400),
        (b'{"chosen": "left"}', 403),
        (b'{"chosen": "both", "response_ms": 1, "replays": 0, "focus_losses": 0}', 403),
        (b'{"chosen": "left", "response_ms": 1e99, "replays": 0, "focus_losses": 0}', 403),
        (b'{"chosen": "left", "response_ms": NaN, "replays": 0, "focus_losses": 0}', 403),
        (b'{"chosen": "left", "response_ms": true, "replays": 0, "focus_losses": 0}', 403),
        (b'{"chosen": "left", "response_ms": -1, "replays": 0, "focus_losses": 0}', 403),
    ],
)
def test_bodies_that_make_no_sense(running: AppProcess, body: bytes, status: int) -> None:
    token, trial = person(running)
    if b'"chosen": ' in body:
        body = body.replace(b'"chosen"', b'"trial": "%s", "chosen"' % trial.encode(), 1)
    assert ask(running, "POST", "/trial/vote", body, x_rater=token)[0] == status


def test_clips_that_are_gone_from_the_database(running: AppProcess) -> None:
    token, trial = person(running)
    with closing(sqlite3.connect(running.where)) as connection:
        kept = connection.execute("SELECT sha256, data FROM media").fetchall()
        connection.execute("DELETE FROM media")
        connection.commit()
        try:
            assert ask(running, "GET", f"/trial/clips/{trial}", x_rater=token)[0] == 410
            status, said, _ = ask(running, "POST", "/trial/state", b"{}", x_rater=token)
            assert (status, json.loads(said)["state"]) == (200, "rating")
            assert trial not in json.loads(said)["trials"]
        finally:
            connection.executemany("INSERT INTO media VALUES (?, ?)", kept)
            connection.commit()


def test_a_vote_cannot_be_cast_by_following_a_link(running: AppProcess) -> None:
    token, trial = person(running)
    _, body, _ = ask(running, "GET", f"/trial/vote?trial={trial}&chosen=left&response_ms=9", x_rater=token)
    assert b"answered" not in body
    store = Store(running.where)
    study = store.open()
    assert study.view(token).answered == 0


@pytest.mark.browser
def test_the_admin_page_stays_shut_without_a_password(sqlite: str, chromium: object, tmp_path: Path) -> None:
    app = AppProcess(sqlite, tmp_path / "log", BENCH_ADMIN_PASSWORD="")
    try:
        page = chromium.new_page()  # type: ignore[attr-defined]
        page.set_default_timeout(120_000)  # a machine may be busy
        page.goto(f"{app.url}/?admin")
        page.get_by_role("heading", name="The admin page is off").wait_for()
        assert page.locator("input").count() == 0
        page.close()
    finally:
        app.kill()


def test_a_person_starts_it_by_the_command(sqlite: str) -> None:
    """`streamlit run study_app/web/app.py` with nothing but the database's name."""
    root = Path(__file__).parents[3]
    from study_app.store.connection.database import URL_VARIABLE
    from tests.study_app.conftest import free_port

    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "study_app/web/app.py", f"--server.port={port}"]
    env = {**os.environ, URL_VARIABLE: sqlite, "PYTHONPATH": str(root)}
    process = subprocess.Popen([*command, "--server.address=127.0.0.1"], cwd=root, env=env, stdout=subprocess.DEVNULL)
    try:
        app = AppProcess.__new__(AppProcess)
        app.port, app.url = port, f"http://127.0.0.1:{port}"
        wait_for(app.url, lambda: process.poll() is None, Path(os.devnull))
        assert ask(app, "POST", "/trial/state", b"{}")[0] == 403  # our addresses are there too
    finally:
        process.kill()
        process.wait()
