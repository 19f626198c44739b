"""Datasets fetched from a server on this machine, in small archives of the form that the real ones have."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bench.data.dataset import Dataset
from bench.download import dataset_sources, http
from bench.download.dataset_sources import PublishedDataset
from bench.errors import BenchError
from bench.pipeline import fetch_dataset as module
from bench.pipeline.fetch_dataset import ACCOUNT, HASHES, FetchOptions, fetch
from tests.download.test_archive import make_tar
from tests.support.server import Server, cut, redirect, whole


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("BENCH_OFFLINE", "")
    monkeypatch.setattr(http, "_unreachable", {})
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="module")
def sky_zip(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """As on Hugging Face: one folder in it that holds the two of the splits."""
    path = tmp_path_factory.mktemp("zip") / "sky_timelapse.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(sky.rglob("*.jpg")):
            archive.write(file, Path("sky_timelapse", file.relative_to(sky)))
    return path.read_bytes()


@pytest.fixture
def hub(server: Server, sky_zip: bytes, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Hugging Face: a redirect that tells size and hash, to a server that resumes."""
    address = "/datasets/maxin-cn/SkyTimelapse/resolve/main/sky_timelapse.zip"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.answers["/cdn"] = whole(sky_zip)
    server.answers[address] = with_metadata(
        hashlib.sha256(sky_zip).hexdigest(), len(sky_zip), redirect(f"{server.url}/cdn")
    )
    return server


def with_metadata(digest: str, size: int, answer: Callable[[BaseHTTPRequestHandler], None]) -> Callable[..., None]:
    def respond(request: BaseHTTPRequestHandler) -> None:
        end = request.end_headers

        def with_hash() -> None:
            request.send_header("X-Linked-ETag", f'"{digest}"')
            request.send_header("X-Linked-Size", str(size))
            end()

        request.end_headers = with_hash  # type: ignore[method-assign]
        answer(request)

    return respond


def working(out: Path) -> Path:
    return out.with_name(f"{out.name}.fetching")


def test_sky_comes_whole_with_its_hashes_and_is_not_fetched_twice(
    hub: Server, sky: Path, sky_zip: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = fetch("sky", tmp_path / "sky")
    output = capsys.readouterr().err
    assert "kB to download (about 1 min at 100 Mbit/s)" in output
    assert "Licence: Apache-2.0" in output
    assert Dataset("sky", str(out)).manifest(64).hashes == Dataset("sky", str(sky)).manifest(64).hashes
    lines = dict(reversed(line.split("  ")) for line in (out / HASHES).read_text().splitlines())
    assert lines == {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in out.rglob("*.jpg")
    }
    account = json.loads((out / ACCOUNT).read_text())
    assert account["archive"]["sha256"] == hashlib.sha256(sky_zip).hexdigest()
    assert not working(out).exists()
    requests = len(hub.requests)
    assert fetch("sky", out) == out
    assert len(hub.requests) == requests


def test_beach_comes_with_its_list(
    server: Server, beach: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "b", "w:bz2") as archive:
        archive.add(beach / "frames-stable-many", "data/frames-stable-many")
    names = sorted(p.relative_to(beach / "frames-stable-many").as_posix() for p in beach.rglob("*.jpg"))
    server.answers["/beach.tar.bz2"] = whole((tmp_path / "b").read_bytes())
    server.answers["/beach.txt"] = whole("\n".join(names).encode(), "text/plain")
    line = PublishedDataset(
        "beach", "Beach", f"{server.url}/beach.tar.bz2", (f"{server.url}/beach.txt",), "frames-stable-many"
    )
    monkeypatch.setitem(dataset_sources.SOURCES, "beach", line)
    out = fetch("beach", tmp_path / "beach")
    assert (out / "data" / "beach.txt").is_file()
    assert len(Dataset("beach", str(out)).manifest(64).clips) == len(names)


def test_an_interrupted_download_goes_on_where_it_stopped(hub: Server, sky_zip: bytes, tmp_path: Path) -> None:
    length = len(sky_zip) // 6 + 1
    hub.answers["/cdn"] = cut(length, content=sky_zip)  # more often than one download would put up with
    fetch("sky", tmp_path / "sky")
    assert [requested for path, requested in hub.requests if path == "/cdn"] == [
        None,
        *(f"bytes={n * length}-" for n in range(1, 6)),
    ]


def test_what_came_before_the_network_went_is_kept(hub: Server, sky_zip: bytes, tmp_path: Path) -> None:
    def break_connection(request: BaseHTTPRequestHandler) -> None:
        if request.command == "HEAD":
            whole(sky_zip)(request)
        elif request.headers.get("Range"):
            request.send_error(404)
        else:
            cut(1000, content=sky_zip)(request)

    hub.answers["/cdn"] = break_connection
    out = tmp_path / "sky"
    with pytest.raises(
        BenchError, match=r"Sky Time-lapse could not be fetched .*HTTP status 404.*To resume, repeat the command"
    ):
        fetch("sky", out)
    assert not out.exists()
    assert (working(out) / "sky_timelapse.zip.part").stat().st_size == 1000
    hub.answers["/cdn"] = whole(sky_zip)
    fetch("sky", out)
    assert ("/cdn", "bytes=1000-") in hub.requests


def test_another_file_than_the_published_one_is_refused(hub: Server, sky_zip: bytes, tmp_path: Path) -> None:
    hub.answers["/cdn"] = whole(sky_zip[:-1] + b"x")
    with pytest.raises(BenchError, match="is not the published one"):
        fetch("sky", tmp_path / "sky")
    hub.answers["/cdn"] = whole(sky_zip)
    with pytest.raises(BenchError, match="is not the expected archive"):
        fetch("sky", tmp_path / "sky", FetchOptions(sha256="0" * 64))
    assert not (tmp_path / "sky").exists()


def test_a_hostile_archive_leaves_nothing(server: Server, tmp_path: Path) -> None:
    path = make_tar(tmp_path / "b", ("good.jpg", b"1"), ("../../evil", b"2"))
    server.answers["/sky.zip"] = whole(path.read_bytes())
    with pytest.raises(BenchError, match="points outside it"):
        fetch("sky", tmp_path / "x" / "sky", FetchOptions(url=f"{server.url}/sky.zip"))
    assert not (tmp_path / "x" / "sky").exists()
    assert not list(tmp_path.rglob("evil"))


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("BENCH_OFFLINE", "")
    with socket.socket() as closed:  # bound and not listening
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(BenchError, match=r"no connection .*pass it with --archive"):
            fetch("sky", tmp_path / "sky")
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    with pytest.raises(BenchError, match="BENCH_OFFLINE forbids connections"):
        fetch("sky", tmp_path / "sky")
    assert not (tmp_path / "sky").exists()


def test_a_disk_that_is_too_small_is_said_before_anything_comes(
    hub: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BenchError, match=r"Sky Time-lapse needs .* but 1\.0 kB are free"):
        fetch("sky", tmp_path / "sky")
    assert all(path != "/cdn" for path, _ in hub.requests)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_loses_nothing(
    hub: Server, sky_zip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={len(sky_zip) * 3 // 2 // 1024}k"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    monkeypatch.setattr(module, "SPACE_FACTOR", 1.0)  # somebody else takes the room meanwhile
    try:
        with pytest.raises(BenchError, match="The disk is full"):
            fetch("sky", disk / "sky")
        assert not (disk / "sky").exists()
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        requests = [path for path, _ in hub.requests].count("/cdn")
        fetch("sky", disk / "sky")
        assert [path for path, _ in hub.requests].count("/cdn") == requests  # the archive was kept
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_archive_that_is_there_is_unpacked(sky_zip: bytes, sky: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(sky_zip)
    out = fetch("sky", tmp_path / "sky", FetchOptions(archive=tmp_path / "mine.zip"))
    assert len(list(out.rglob("*.jpg"))) == len(list(sky.rglob("*.jpg")))
    assert (tmp_path / "mine.zip").exists()


def test_a_folder_of_somebodys_is_left_alone_and_names_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BenchError, match="already exists and was not created"):
        fetch("sky", tmp_path)
    with pytest.raises(BenchError, match=r"dataset 'beech'\. Did you mean 'beach'\?"):
        fetch("beech", tmp_path / "x")
