"""Weights fetched from a server on this machine that misbehaves in every way the real ones do."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bench.download import http
from bench.download.progress import SourceError
from bench.errors import BenchError
from bench.metrics.networks import weights_catalog
from bench.metrics.networks.fetch_weights import fetch
from bench.metrics.networks.weights_catalog import PublishedFile, Weights
from tests.support.server import CONTENT, Server, cut, redirect, whole, without_ranges


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(http, "_unreachable", {})
    running = Server()
    yield running
    running.close()


@pytest.fixture
def file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A line of the table whose addresses are the server's `/a` and `/b`."""
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.delenv("BENCH_WEIGHTS_MIRROR", raising=False)
    urls = (f"{server.url}/a", f"{server.url}/b")
    digest = hashlib.sha256(CONTENT).hexdigest()[:8]
    line = Weights("test", "test.pt", "a test", PublishedFile("test.pt", urls, "sha256", digest))
    monkeypatch.setitem(weights_catalog.FILES, "test", line)
    return line


def _part(file: Weights, content: bytes) -> None:
    weights_catalog.weights_dir().mkdir(parents=True, exist_ok=True)
    (weights_catalog.weights_dir() / f"{file.filename}.part").write_bytes(content)


def _nothing_but_a_part(file: Weights) -> bool:
    return not (weights_catalog.weights_dir() / file.filename).exists()


def test_a_file_comes_whole_and_is_not_fetched_twice(server: Server, file: Weights) -> None:
    server.answers["/a"] = whole()
    path = fetch("test")
    assert path.read_bytes() == CONTENT
    assert weights_catalog.find("test") == path
    assert weights_catalog.verify("test").state == "published"
    assert fetch("test") == path
    assert len(server.requests) == 1
    assert not list(path.parent.glob("*.part"))


def test_the_transfer_is_told_in_a_line_for_each_source(
    server: Server, file: Weights, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answers["/a"] = lambda request: request.send_error(404)
    server.answers["/b"] = whole()
    fetch("test")
    out, err = capfd.readouterr()
    assert out == ""
    refused, fetched = err.splitlines()
    assert refused == "test: 127.0.0.1: HTTP status 404"
    assert re.fullmatch(r"test: 127\.0\.0\.1: 1\.0 MB in \d+ s", fetched)


def test_bytes_are_reported_as_they_come(server: Server, file: Weights, tmp_path: Path) -> None:
    server.answers["/a"] = whole()
    seen: list[tuple[int, int | None]] = []
    http.download(f"{server.url}/a", tmp_path / "x", lambda _: True, lambda *progress: seen.append(progress), 5)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, file: Weights) -> None:
    _part(file, CONTENT[:300_000])
    server.answers["/a"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert server.requests == [("/a", "bytes=300000-")]


def test_a_complete_part_needs_no_more_bytes(server: Server, file: Weights) -> None:
    _part(file, CONTENT)
    server.answers["/a"] = whole()
    assert fetch("test").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server: Server, file: Weights) -> None:
    _part(file, CONTENT[:300_000])
    server.answers["/a"] = without_ranges
    assert fetch("test").read_bytes() == CONTENT


def test_remains_of_something_else_are_thrown_away(server: Server, file: Weights) -> None:
    _part(file, b"x" * 1000)
    server.answers["/a"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert [requested for _, requested in server.requests] == ["bytes=1000-", None]


def test_a_truncating_server_is_asked_again_for_the_rest(server: Server, file: Weights) -> None:
    server.answers["/a"] = cut(400_000)
    assert fetch("test").read_bytes() == CONTENT
    assert [requested for _, requested in server.requests] == [None, "bytes=400000-", "bytes=800000-"]


def test_a_server_that_never_gives_the_rest_is_left_for_the_next(server: Server, file: Weights) -> None:
    counted = []

    def once(request: BaseHTTPRequestHandler) -> None:
        cut(0 if counted else 1000)(request)
        counted.append(1)

    server.answers["/a"] = once
    server.answers["/b"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert server.requests[-1] == ("/b", "bytes=1000-")


def test_truncation_everywhere_is_said_and_kept_for_later(server: Server, file: Weights) -> None:
    server.answers["/a"] = server.answers["/b"] = cut(10)
    with pytest.raises(BenchError, match=r"truncated: \d+ of 1024000 bytes"):
        fetch("test")
    assert _nothing_but_a_part(file)
    server.answers["/a"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert server.requests[-1][1] is not None


def test_a_stalling_server_is_given_up(server: Server, file: Weights) -> None:
    release = threading.Event()
    server.answers["/a"] = cut(5000, release)
    server.answers["/b"] = whole()
    try:
        assert fetch("test", timeout=3).read_bytes() == CONTENT  # while the first server sends nothing
    finally:
        release.set()
    assert server.requests[-1][0] == "/b"


def test_a_server_that_never_answers_is_given_up(server: Server, file: Weights) -> None:
    release = threading.Event()
    server.answers["/a"] = lambda request: release.wait() and None
    try:
        with pytest.raises(BenchError, match="no connection"):
            fetch("test", timeout=3)
        until = time.monotonic() + 60
        while not server.requests and time.monotonic() < until:  # of a busy machine
            time.sleep(0.01)
    finally:
        release.set()
    assert len(server.requests) == 1  # the second address is on the same server, which is not asked again


def test_redirects_are_followed(server: Server, file: Weights) -> None:
    _part(file, CONTENT[:1000])
    server.answers["/a"] = redirect("/elsewhere")
    server.answers["/elsewhere"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert server.requests[-1] == ("/elsewhere", "bytes=1000-")


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream"])
def test_a_web_page_is_refused(server: Server, file: Weights, kind: str) -> None:
    server.answers["/a"] = server.answers["/b"] = whole(b"<!DOCTYPE html><title>Sign in</title>", kind)
    with pytest.raises(BenchError, match="sent a web page instead"):
        fetch("test")
    assert _nothing_but_a_part(file)


def test_wrong_bytes_are_refused_and_not_kept(server: Server, file: Weights) -> None:
    server.answers["/a"] = server.answers["/b"] = whole(CONTENT[:-1] + b"?")
    with pytest.raises(BenchError, match="its hash differs"):
        fetch("test")
    assert _nothing_but_a_part(file)
    server.answers["/b"] = whole()
    assert fetch("test").read_bytes() == CONTENT


def test_missing_files_and_broken_servers_are_named(server: Server, file: Weights) -> None:
    server.answers["/a"] = lambda request: request.send_error(404)
    server.answers["/b"] = lambda request: request.send_error(503)
    with pytest.raises(BenchError, match=r"status 404.*status 503"):
        fetch("test")


def test_a_mirror_is_asked_first(server: Server, file: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_MIRROR", f"{server.url}/none {server.url}/lab/")
    server.answers["/none/test.pt"] = lambda request: request.send_error(404)
    server.answers["/lab/test.pt"] = whole()
    assert fetch("test").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/none/test.pt", "/lab/test.pt"]


def test_offline_opens_no_socket(file: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(BenchError, match="--offline"):
        fetch("test", offline=True)


def test_no_connection_is_said(file: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/x"
        published = PublishedFile("test.pt", (address, address), "sha256", "00")
        monkeypatch.setitem(weights_catalog.FILES, "test", Weights("test", "test.pt", "", published))
        with pytest.raises(BenchError, match=r"no connection.*did not answer a moment ago"):
            fetch("test", timeout=20)


def test_a_server_that_did_not_answer_is_asked_again_later(
    server: Server, file: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/a"] = whole()
    monkeypatch.setitem(http._unreachable, server.url.removeprefix("http://"), time.monotonic())
    with pytest.raises(BenchError, match="did not answer a moment ago"):
        fetch("test")
    monkeypatch.setattr(http, "_AVOIDED", 0.0)
    assert fetch("test").read_bytes() == CONTENT


def test_a_name_that_takes_forever_to_resolve_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    release = threading.Event()
    monkeypatch.setattr(http, "_unreachable", {})
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30))
    try:
        with pytest.raises(SourceError, match="cannot be resolved"):
            http.download("http://weights.example/x", tmp_path / "x", lambda _: True, lambda *_: None, 0.2)
    finally:
        release.set()


def test_another_file_under_the_name_is_told_from_the_published_one(file: Weights) -> None:
    _part(file, b"")
    path = weights_catalog.weights_dir() / file.filename
    path.write_bytes(b"random weights")
    assert weights_catalog.verify("test").state == "other"
    assert "not the published" in weights_catalog.identity("test", path)
    with pytest.raises(BenchError, match="does not contain the published weights"):
        fetch("test")
    assert path.read_bytes() == b"random weights"
