"""What somebody tries who knows the code: to act as another rater, to vote unseen, to fill or to block a study."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study_app.pipeline import links
from study_app.pipeline.create import create
from study_app.store.store import Store
from study_app.web import connections
from study_app.web.new_sessions import LIMIT_VARIABLE
from tests.study_app.conftest import AppProcess, study_request
from tests.study_app.runfolder import FRAMES
from tests.study_app.web.test_http import ask

pytestmark = pytest.mark.process

#: How long the clips of the study play, in seconds: longer than a busy machine takes for a few calls.
ONE_PLAY = 1.0
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def running(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """One app for all of these tests, in which an address can begin eight sessions."""
    folder = tmp_path_factory.mktemp("attacks")
    environment = {LIMIT_VARIABLE: "8", "BENCH_STUDY_SECRET": SECRET}
    create(folder / "study.db", study_request(run_folder, rate=FRAMES / ONE_PLAY))
    app = AppProcess(str(folder / "study.db"), folder / "log", **environment)
    yield app
    app.kill()


class Browser:
    """A browser as far as the app sees it: a token, cookies, a link."""

    def __init__(self, app: AppProcess, link: dict[str, str] | None = None) -> None:
        self.app, self.link, self.token, self.cookie = app, link or {}, "", ""

    def call(self, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
        sent = json.dumps({"link": self.link, **body}).encode()
        status, said, headers = ask(self.app, "POST", f"/trial/{name}", sent, x_rater=self.token, cookie=self.cookie)
        told = json.loads(said)
        self.token = told.get("token") or self.token
        if "set-cookie" in headers:
            assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in headers["set-cookie"].split(";")}
            self.cookie = headers["set-cookie"].partition(";")[0]
        return status, told

    def begin(self) -> list[str]:
        assert self.call("hello")[0] == 200
        status, told = self.call("enrol")
        assert status == 200, told
        return list(told["view"]["trials"])

    def fetch(self, trial: str) -> int:
        return ask(self.app, "GET", f"/trial/clips/{trial}", x_rater=self.token, cookie=self.cookie)[0]

    def vote(self, trial: str) -> tuple[int, dict[str, Any]]:
        return self.call("vote", trial=trial, chosen="left", response_ms=5000, replays=0, focus_losses=0)


def signed(app: AppProcess, participant: str) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_STUDY_SECRET", SECRET)
        (made,) = links.links(Store(app.where).open(), [participant], app.url)
    return dict(pair.split("=") for pair in made.url.partition("?")[2].split("&"))


def test_a_link_that_was_guessed_opens_nothing(running: AppProcess) -> None:
    own = signed(running, "P07")
    rater = Browser(running, own)
    rater.begin()
    before = len(Store(running.where).open().raters())
    guesses = [{"participant": "P07"}, {"participant": "P07", "key": ""}, {"participant": "P08", "key": own["key"]}]
    guesses += [{"participant": "P07", "key": own["key"][:-1] + ("B" if own["key"][-1] != "B" else "C")}]
    for link in guesses:
        for name in ("hello", "enrol"):
            status, told = Browser(running, link).call(name)
            assert (status, "not complete" in told["message"]) == (403, True), link
    assert len(Store(running.where).open().raters()) == before
    other = Browser(running, {"participant": "p07", "key": own["key"].lower()})  # as somebody types it, elsewhere
    assert other.call("hello")[1]["view"]["state"] == "rating"
    assert other.call("end")[1]["elsewhere"]
    assert other.call("withdraw")[0] == 403


def test_nobody_takes_over_a_rater_of_a_platform_by_their_id(running: AppProcess) -> None:
    link = {"PROLIFIC_PID": "5f3c9a0d2b", "STUDY_ID": "s", "SESSION_ID": "visit"}
    early = Browser(running, {"PROLIFIC_PID": link["PROLIFIC_PID"]})
    assert early.call("hello")[0] == 200
    assert early.token == ""  # nothing to keep until the person comes
    rater = Browser(running, link)
    rater.begin()
    for thief in ({**link, "SESSION_ID": "another"}, {**link, "SESSION_ID": "", "STUDY_ID": ""}, early.link):
        for name in ("hello", "enrol"):
            status, told = Browser(running, thief).call(name)
            assert (status, "another browser" in told["message"]) == (403, True)
    thief = Browser(running, early.link)
    thief.token = rater.token  # even if that got away
    assert thief.call("end")[1] == {"code": "", "url": "", "elsewhere": True}
    for code in ("", "ABCDEFGHIJ", "'; --"):
        assert thief.call("withdraw", code=code)[0] == 403
    assert Store(running.where).open().raters()["status"].iloc[-1] == "started"
    telephone = Browser(running, link)  # the person, by the same visit
    assert telephone.call("hello")[1]["view"]["state"] == "rating"
    assert rater.call("withdraw")[1]["state"] == "withdrawn"
    codes = {browser.call("end")[1]["code"] for browser in (rater, telephone)}
    assert len(codes) == 1
    assert "" not in codes


@pytest.mark.parametrize("kind", ["signed", "platform", "anybody"])
def test_a_stolen_token_is_of_no_use(running: AppProcess, kind: str) -> None:
    link = {"PROLIFIC_PID": f"id {kind}", "STUDY_ID": "s", "SESSION_ID": "visit"} if kind == "platform" else None
    owner = Browser(running, signed(running, "P21") if kind == "signed" else link)
    trial = owner.begin()[0]
    assert owner.fetch(trial) == 200
    time.sleep(ONE_PLAY)
    name = owner.cookie.partition("=")[0]
    for cookie in ("", f"{name}=", f"{name}={owner.token}", f"{name}=x; visit={owner.token}", f"visit={'x' * 43}"):
        thief = Browser(running)
        thief.token, thief.cookie = owner.token, cookie
        assert thief.fetch(trial) == 403
        assert thief.vote(trial)[0] == 403
        for call in ("state", "skip", "reply"):
            assert thief.call(call, trial=trial, reason="stolen", part="closing")[0] == 403
        assert thief.call("end")[1] == {"code": "", "url": "", "elsewhere": True}
        assert thief.call("withdraw")[0] == 403
    if kind == "anybody":  # nor does it make the thief's browser the owner's
        thief = Browser(running)
        thief.token = owner.token
        for call in ("hello", "enrol"):
            assert thief.call(call)[0] == 403
    assert owner.vote(trial)[1]["answered"] == 1


def test_who_agrees_twice_because_a_reply_was_lost_goes_on(running: AppProcess) -> None:
    for link in (None, signed(running, "P22")):
        someone = Browser(running, link)
        someone.call("hello")
        before = someone.token, someone.cookie
        first = someone.call("enrol")[1]["view"]
        someone.token, someone.cookie = before
        assert someone.call("enrol")[1]["view"]["trials"] == first["trials"]
        if link:
            continue
        again = Browser(running)
        again.cookie = someone.cookie  # the same browser, on another day
        assert again.call("hello")[1]["view"]["trials"] == first["trials"]
        assert again.token == someone.token


def test_a_browser_without_cookies_is_told_so_before_it_begins(running: AppProcess) -> None:
    someone = Browser(running)
    someone.call("hello")
    someone.cookie = ""
    status, told = someone.call("enrol")
    assert (status, "cookies" in told["message"]) == (403, True)


def test_a_code_withdraws_from_another_browser(running: AppProcess) -> None:
    own = signed(running, "P11")
    rater = Browser(running, own)
    trial = rater.begin()[0]
    with Store(running.where).open()._transactions.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ending (rater_id, outcome, code, ended_at) SELECT rater_id, 'technical', 'BCDFGHJKLM', "
            f"leased_at FROM assignment WHERE token = '{trial}'"
        )
    other = Browser(running, own)
    other.call("hello")
    assert other.call("withdraw", code="BCDFGHJKLX")[0] == 403
    assert other.call("withdraw", code=" bcdfghjklm ")[1]["state"] == "withdrawn"


def test_votes_on_pairs_that_nobody_can_have_seen_are_refused(run_folder: Path, tmp_path: Path) -> None:
    play = 16.0  # seconds, longer than a busy machine takes for a few calls; no test waits for it
    create(tmp_path / "study.db", study_request(run_folder, rate=FRAMES / play))
    app = AppProcess(str(tmp_path / "study.db"), tmp_path / "log")
    store = Store(app.where)
    try:
        rater = Browser(app)
        first, second = rater.begin()
        assert rater.vote(first)[0] == 410  # never fetched
        assert rater.fetch(first) == rater.fetch(second) == 200
        status, told = rater.vote(first)
        assert (status, 0 < told["wait"] <= play) == (429, True)
        with store.engine.begin() as connection:
            earlier = f"UPDATE assignment SET delivered_at = datetime(delivered_at, '-{play + 1} seconds')"
            connection.exec_driver_sql(earlier)
        assert rater.vote(first)[1]["answered"] == 1
        assert rater.vote(first)[1]["answered"] == 1  # once more: acknowledged, and nothing changes
        assert rater.vote(second)[0] == 429  # loaded long ago, but the first was looked at until now
        assert not store.open().votes()["flags"].str.contains("undelivered|rushed").any()
    finally:
        app.kill()


def test_one_address_begins_so_many_sessions_and_signed_links_all_the_same(running: AppProcess) -> None:
    begun = 0
    for number in range(12):
        link = {"PROLIFIC_PID": f"invented{number}"} if number % 2 else {}
        someone = Browser(running, link)
        someone.call("hello")
        status, told = someone.call("enrol")
        begun += status == 200
        assert status == 200 or "from your network" in told["message"]
    assert begun <= 8
    assert Browser(running, {"PROLIFIC_PID": "yet another"}).call("enrol")[0] == 403
    Browser(running, signed(running, "P13")).begin()


def test_clicking_until_chance_passes_takes_long(run_folder: Path, tmp_path: Path) -> None:
    asked = {"workload": 2, "catch": 8, "catch_pass": 7}
    create(tmp_path / "study.db", study_request(run_folder, **asked))
    app = AppProcess(str(tmp_path / "study.db"), tmp_path / "log", BENCH_STUDY_SECRET=SECRET, **{LIMIT_VARIABLE: "8"})
    try:
        for link in (None, {"PROLIFIC_PID": "one more"}):
            clicker = Browser(app, link)
            view = {"trials": clicker.begin(), "state": "rating"}
            while view["state"] == "rating":  # always left, which is wrong in half of the catch trials
                clicker.fetch(view["trials"][0])
                status, told = clicker.vote(view["trials"][0])
                time.sleep(told.get("wait", 0))
                view = told if status == 200 else view
            assert view["state"] == "excluded"
        assert "from your network" in Browser(app, {"PROLIFIC_PID": "the third"}).call("enrol")[1]["message"]
        Browser(app, signed(app, "P01")).begin()
    finally:
        app.kill()


@pytest.mark.parametrize(
    "body",
    [
        b'{"trial": "\\ud800", "chosen": "left", "response_ms": 1, "replays": 0, "focus_losses": 0}',
        b'{"part": "closing", "answers": {"x": "\\udfff"}}',
        b'{"\\ud83d": 1}',
        b'{"reason": "\\u0000"}',
    ],
)
def test_what_is_no_text_is_refused(running: AppProcess, body: bytes) -> None:
    for name in ("vote", "reply", "skip", "hello"):
        assert ask(running, "POST", f"/trial/{name}", body, x_rater="x" * 43)[0] == 400


def test_a_page_of_another_site_cannot_make_a_browser_call(running: AppProcess) -> None:
    study = Store(running.where).open()
    before = len(study.raters()), study.declined()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        for name in ("enrol", "decline", "withdraw", "vote"):
            assert ask(running, "POST", f"/trial/{name}", b"{}", content_type=kind)[0] == 415
    assert ask(running, "POST", "/trial/decline", b"{}", sec_fetch_site="cross-site")[0] == 403
    assert ask(running, "POST", "/trial/enrol", b"{}", sec_fetch_site="same-site")[0] == 403
    assert (len(study.raters()), study.declined()) == before


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/agent",
        "/nothing",
        "/admin",
        "/trial/vote",
        "/trial",
        "/index.html",
        "/?/x",
        "/docs",
    ],
)
def test_there_is_nothing_at_unknown_addresses(running: AppProcess, path: str) -> None:
    wanted = 200 if path.startswith("/?") else 404
    assert ask(running, "GET", path)[0] == wanted
    if wanted == 404:
        assert ask(running, "PUT", path)[0] == 404


def test_scripts_are_asked_for_again_and_sessions_are_never_kept(running: AppProcess) -> None:
    assert ask(running, "GET", "/rater/main.js")[2]["cache-control"] == "no-cache"
    assert "no-store" in ask(running, "POST", "/trial/state", b"{}")[2]["cache-control"]


def test_the_sign_in_sets_a_cookie_for_a_good_pass_only(running: AppProcess) -> None:
    for value in ("", "forged", "9999999999.00.00"):
        status, _, headers = ask(running, "POST", "/admin/session", json.dumps({"value": value}).encode())
        assert status == 204
        assert "Max-Age=0" in headers["set-cookie"]


def test_half_sent_requests_of_one_address_leave_room_for_others(running: AppProcess) -> None:
    half = b"POST /trial/hello HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
    with contextlib.ExitStack() as open_ones:
        for _ in range(400):
            attacker = open_ones.enter_context(socket.socket())
            attacker.settimeout(60)
            attacker.connect(("127.0.0.1", running.port))
            with contextlib.suppress(OSError):  # closed already
                attacker.sendall(half)
        start = time.monotonic()
        reader = open_ones.enter_context(socket.socket())
        reader.settimeout(60)
        reader.bind(("127.0.0.2", 0))
        reader.connect(("127.0.0.1", running.port))
        reader.sendall(b"GET /_stcore/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert reader.recv(100).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - start < connections.PATIENCE  # when the others are closed
    log = running.log.read_text()
    assert "Uvicorn running on" in log
    assert "/trial/" not in log  # addresses of requests may hold the ID of a person
    assert 1 <= log.count("there are too many") <= 40  # one a second
    assert len(log) < 20_000
