"""Prolific's API, against a local stand-in of the calls that its reference documents."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from bench.errors import BenchError
from study_app.cli.main import app
from study_app.pipeline import prolific
from study_app.store.messages import Answer
from study_app.store.participants import Visitor
from study_app.store.store import Store
from study_app.store.study import OpenStudy
from tests.study_app.conftest import free_port

TOKEN = "a token of somebody's"
OFFER = ["--url", "https://study.example.org", "--title", "Clips", "--description", "Compare clips.", "--reward", "250"]


class StandIn(ThreadingHTTPServer):
    """What Prolific documents of three calls, and all that it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Calls)
        self.asked: list[tuple[str, str, Any]] = []
        self.submissions: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, str], bytes] | None = None


class Calls(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def answer(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.handle_call(None)

    def do_POST(self) -> None:
        self.handle_call(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def handle_call(self, body: Any) -> None:
        self.server.asked.append((self.command, self.path, body))
        if self.server.refusal:
            code, headers, data = self.server.refusal
            self.answer(code, data, headers)
        elif self.headers["Authorization"] != f"Token {TOKEN}":
            self.answer(401, {"error": {"detail": "Invalid token."}})
        elif self.path == "/api/v1/studies/" and body:
            self.answer(201, {"id": "60d9aadeb86739de712faee0", "status": "UNPUBLISHED", **body})
        elif self.path == "/api/v1/studies/60d9/submissions/":
            self.answer(200, {"results": self.server.submissions})
        elif self.path.startswith("/api/v1/submissions/") and body == {"action": "APPROVE"}:
            mine = next(s for s in self.server.submissions if f"/{s['id']}/transition/" in self.path)
            mine["status"] = "APPROVED"
            self.answer(200, mine)
        else:
            self.answer(404, {"error": {"detail": "Not found."}})


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    server = StandIn()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(prolific.TOKEN_VARIABLE, TOKEN)
    monkeypatch.setenv(prolific.URL_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def study(sqlite: str) -> OpenStudy:
    """The study, with codes for Prolific."""
    with Store(sqlite).engine.begin() as connection:
        kept = json.loads(connection.execute(text("SELECT settings FROM study")).scalar_one())
        codes = json.dumps({**kept, "completion_code": "C1", "failed_code": "C2"})
        connection.execute(text("UPDATE study SET settings = :codes"), {"codes": codes})
    return Store(sqlite).open()


def bench(*words: str) -> str:
    done = CliRunner().invoke(app, ["prolific", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def take_part(study: OpenStudy, pid: str, *, attend: bool = True, answers: int = 100) -> str:
    """A session of somebody from Prolific; returns their pseudonym."""
    visitor = Visitor("prolific", pid, "s|1")
    token = study.token_of(visitor)
    study.enrol(token, visitor)
    view = study.view(token)
    while view.state == "rating" and answers:
        with Store(study._transactions.url.database).engine.connect() as connection:
            seen = text("SELECT first_on_left FROM assignment WHERE token = :trial")
            left = bool(connection.execute(seen, {"trial": view.trials[0]}).scalar_one())
        view = study.vote(token, view.trials[0], Answer("left" if left == attend else "right", 900))
        answers -= 1
    rater = study.rater(token)
    assert rater is not None
    return rater.token_hash[:16]


def test_a_draft_is_shown_first_and_then_made(there: StandIn, study: OpenStudy, sqlite: str) -> None:
    shown = bench("create", *OFFER, "--db", sqlite)
    assert there.asked == []
    assert "https://study.example.org/?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID=" in shown
    assert "60d9aadeb86739de712faee0" in bench("create", *OFFER, "--db", sqlite, "--send")
    ((method, path, body),) = there.asked
    assert (method, path) == ("POST", "/api/v1/studies/")
    assert body["completion_codes"] == [
        {"code": "C1", "code_type": "COMPLETED", "actions": [{"action": "MANUALLY_REVIEW"}]},
        {"code": "C2", "code_type": "FAILED_ATTENTION_CHECK", "actions": [{"action": "MANUALLY_REVIEW"}]},
    ]
    assert body["total_available_places"] == 6  # 112 votes of 24 a rater, and a tenth
    assert (body["reward"], body["estimated_completion_time"]) == (250, study.settings.minutes)
    assert "publish" not in json.dumps(body)
    assert study.watch().audit["action"].iloc[0] == "drafted"


def test_only_who_has_completed_and_passed_is_approved(there: StandIn, study: OpenStudy, sqlite: str) -> None:
    good, again = take_part(study, "good"), take_part(study, "paid before")
    take_part(study, "careless", attend=False)
    take_part(study, "left", answers=3)
    study.exclude(take_part(study, "spoke"), "has told us what they are", "admin")
    who = ("good", "paid before", "careless", "left", "spoke", "stranger")
    there.submissions = [
        {"id": f"s{n}", "participant_id": pid, "status": "AWAITING REVIEW"} for n, pid in enumerate(who)
    ]
    there.submissions[1]["status"] = "APPROVED"
    shown = bench("approve", "60d9", "--db", sqlite)
    assert f"s0  {good}  to be approved" in shown
    assert f"s1  {again}  nothing to review: approved" in shown
    assert "not complete and passed: failed" in shown
    assert "not complete and passed: started" in shown
    assert "excluded: has told us" in shown or "not complete and passed: excluded" in shown
    assert "unknown to this study" in shown
    assert "1 of 6 would be approved" in shown
    assert not any(method == "POST" for method, _, _ in there.asked)
    assert "Approved 1 of 6" in bench("approve", "60d9", "--db", sqlite, "--send")
    posted = [(path, body) for method, path, body in there.asked if method == "POST"]
    assert posted == [("/api/v1/submissions/s0/transition/", {"action": "APPROVE"})]
    assert study.watch().audit["detail"].iloc[0] == good
    assert "0 of 6 would be approved" in bench("approve", "60d9", "--db", sqlite)  # a second time nothing is left to do


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ((401, {}, b"{}"), "rejects this token"),
        ((429, {"Retry-After": "17"}, b"{}"), "Try again in 17 seconds"),
        ((429, {}, b"{}"), "Try again in a minute"),
        ((404, {}, b"{}"), "does not know this study"),
        ((400, {}, b'{"error": "reward too low"}'), "reward too low"),
        ((500, {}, b""), "refused the call"),
        ((200, {}, b"<html>"), "cannot be reached, or sent an invalid answer"),
        ((200, {}, b"[]"), "an answer that its documentation does not describe"),
        ((200, {}, b"{}"), "a list of submissions that"),
    ],
)
def test_what_prolific_can_refuse(
    there: StandIn, study: OpenStudy, sqlite: str, refusal: tuple[int, dict[str, str], bytes], sentence: str
) -> None:
    there.refusal = refusal
    with pytest.raises(BenchError, match=sentence):
        bench("approve", "60d9", "--db", sqlite)


def test_without_a_token_a_network_or_a_sound_offer(
    there: StandIn, study: OpenStudy, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, sentence in (
        ({"reward": 0}, "Give a title"),
        ({"title": " "}, "Give a title"),
        ({"url": "http://study.example.org"}, "start with https"),
    ):
        offer = {
            "title": "Clips",
            "description": "Compare.",
            "url": "https://study.example.org",
            "reward": 250,
            **wrong,
        }
        with pytest.raises(BenchError, match=sentence):
            prolific.draft(study, prolific.Offer(**offer))  # type: ignore[arg-type]
    with monkeypatch.context() as garbled, pytest.raises(BenchError, match="sent an invalid answer"):
        garbled.setattr(Calls, "answer", lambda self, *_: self.wfile.write(b"no status line\r\n\r\n"))
        bench("create", *OFFER, "--db", sqlite, "--send")
    there.asked.clear()
    monkeypatch.setenv(prolific.URL_VARIABLE, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BenchError, match="cannot be reached"):
        bench("create", *OFFER, "--db", sqlite, "--send")
    monkeypatch.delenv(prolific.TOKEN_VARIABLE)
    with pytest.raises(BenchError, match="needs a token"):
        bench("approve", "60d9", "--db", sqlite)
    assert there.asked == []
