"""A web server that a script cannot fill."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from study_app.web import calls, connections
from study_app.web.new_sessions import NewSessions
from tests.study_app.conftest import free_port


async def _slow(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("read")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server whose patience is a quarter of a second, at a port."""
    monkeypatch.setattr(connections, "PATIENCE", 0.25)
    monkeypatch.setattr(connections, "MOST_OF_ONE", 20)
    monkeypatch.delenv(calls.PROXY_VARIABLE, raising=False)
    app = Starlette(routes=[Route("/", _slow, methods=["GET", "POST"])])
    number = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=number, http=connections.GuardedProtocol, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    yield number
    server.should_exit = True
    thread.join()


def connect(port: int, sent: bytes = b"") -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=60)
    one.sendall(sent)
    return one


def is_closed(one: socket.socket) -> bool:
    try:
        return one.recv(100) == b""
    except ConnectionError:
        return True


def test_addresses_of_one_subscriber_are_one() -> None:
    several = ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:0DB8:1:2:3:4:5:6%eth0"]
    assert {calls.of_one(address) for address in several} == {"2001:db8:1:2::/64"}
    assert calls.of_one("2001:db8:1:3::1") != calls.of_one(several[0])
    assert calls.of_one("::ffff:192.0.2.7") == calls.of_one("192.0.2.7") == "192.0.2.7"
    assert [calls.of_one(address) for address in ("::1", "", "testclient")] == ["::1", "", "testclient"]


def test_a_subscriber_of_ipv6_begins_as_many_sessions_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calls.PROXY_VARIABLE, "1")
    sessions = NewSessions(30)
    begun = [sessions.begin(calls.forwarded("127.0.0.1", f"2001:db8:1:2::{n:x}")) for n in range(100)]
    assert sum(begun) == 30
    assert sessions.begin(calls.forwarded("127.0.0.1", "2001:db8:1:3::1"))


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"])
def test_a_request_that_does_not_end_is_closed(port: int, sent: bytes) -> None:
    with connect(port, sent) as one:
        start = time.monotonic()
        assert is_closed(one)
        assert time.monotonic() - start < 15  # the real one has 20 s


def test_a_crowd_of_one_address_is_closed_and_leaves_no_trace(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 60.0)  # that they are too many is why they are closed
    crowd = [connect(port) for _ in range(40)]
    closed = 0
    for one in crowd[20:]:
        closed += is_closed(one)
    assert closed == 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "MOST_OF_ONE", 10_000)
        with connect(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as one:
            assert one.recv(100).startswith(b"HTTP/1.1 200")
    for one in crowd:
        one.close()


def test_one_line_a_second_from_one_place(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    caplog.handler.addFilter(sparing := connections.Sparing())
    try:
        log = logging.getLogger("a test")
        for second in range(3):
            now = 100.0 + 1.01 * second
            for number in range(500):
                log.warning("fault %s", number)
        log.warning("another place")
    finally:
        caplog.handler.removeFilter(sparing)
    assert [record.getMessage() for record in caplog.records] == [
        "fault 0",
        *["fault 0 (499 similar messages were suppressed)"] * 2,
        "another place",
    ]
