"""Which weights there are, and how files are known by what they hold."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.metrics.networks import weights_catalog
from bench.metrics.networks.fetch_weights import fetch
from bench.metrics.networks.weights_catalog import PublishedFile, Weights


def test_git_blob_hashes_are_gits(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello\n")
    assert weights_catalog.file_hash(path, "git-blob-sha1") == "ce013625030ba8dba906f756967f9e9ca394464a"
    git = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=False)
    if git.returncode == 0:
        assert git.stdout.strip() == weights_catalog.file_hash(path, "git-blob-sha1")
    path.write_bytes(b"another length\n")
    assert weights_catalog.file_hash(path, "git-blob-sha1") != "ce013625030ba8dba906f756967f9e9ca394464a"


def test_the_table_has_what_can_be_checked() -> None:
    for name, line in weights_catalog.FILES.items():
        assert line.name == name
        assert len(line.published.digest) == (40 if line.published.hash == "git-blob-sha1" else 8)
        assert all(url.startswith("https://") and url.endswith(line.published.filename) for url in line.published.urls)
        assert len(line.tensors) == (64 if line.archive else 0)
    with pytest.raises(BenchError, match="Did you mean 'fvd'"):
        fetch("fdv", offline=True)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights whose tensors are known, and of which the authors' file holds more."""
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    digest = weights_catalog.tensors_hash({"trunk.a": torch.arange(6.0).view(2, 3)})
    line = Weights("test", "test.pt", "", PublishedFile("theirs.pth", (), "sha256", "00"), digest, "trunk.")
    monkeypatch.setitem(weights_catalog.FILES, "test", line)
    return line


@pytest.mark.parametrize("name", ["test.pt", "theirs.pth"])
def test_weights_are_known_by_their_tensors_whichever_file_holds_them(name: str, line: Weights, tmp_path: Path) -> None:
    assert weights_catalog.verify("test").state == "missing"
    tensors = {"trunk.a": torch.arange(6.0).view(2, 3), "trunk.count": torch.tensor(7), "head.b": torch.ones(1)}
    torch.save(tensors, tmp_path / name)
    assert weights_catalog.verify("test").state == "published"
    assert weights_catalog.find("test") == tmp_path / name
    assert weights_catalog.identity("test", tmp_path / name) == f"test sha256:{line.tensors[:12]}"
    assert fetch("test") == tmp_path / name


@pytest.mark.parametrize(
    "changed",
    [
        {"trunk.a": torch.arange(6.0).view(2, 3) + 1e-6},
        {"trunk.a": torch.arange(6.0).view(3, 2)},
        {"trunk.b": torch.arange(6.0).view(2, 3)},
        {"trunk.a": torch.arange(6.0).view(2, 3), "trunk.b": torch.zeros(1)},
    ],
)
def test_a_changed_value_shape_name_or_number_of_tensors_is_another_network(
    changed: dict[str, torch.Tensor], line: Weights, tmp_path: Path
) -> None:
    torch.save(changed, tmp_path / line.filename)
    assert weights_catalog.verify("test").state == "other"
    assert "not the published weights" in weights_catalog.identity("test", tmp_path / line.filename)
    with pytest.raises(BenchError, match="does not contain the published weights"):
        fetch("test")


def test_a_damaged_file_is_said_to_be_that(line: Weights, tmp_path: Path) -> None:
    (tmp_path / line.filename).write_bytes(b"PK")
    found = weights_catalog.verify("test")
    assert found.state == "other"
    assert "damaged" in found.message


def test_neither_order_nor_layout_in_memory_is_part_of_the_hash() -> None:
    a, b = torch.rand(2, 3, 4), torch.rand(5)
    turned = a.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert weights_catalog.tensors_hash({"a": a, "b": b}) == weights_catalog.tensors_hash({"b": b, "a": turned})
    assert weights_catalog.tensors_hash({"a": a, "b": b}) != weights_catalog.tensors_hash({"b": a, "a": b})


def test_weights_lie_in_the_cache_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("BENCH_WEIGHTS_DIR", raising=False)
    assert weights_catalog.weights_dir() == tmp_path / "weights"
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path / "mine"))
    assert weights_catalog.weights_dir() == tmp_path / "mine"


@pytest.mark.parametrize(
    ("content", "words"), [(b"<html>", "web page"), (b"PK\x03\x04 half a file", "damaged"), (b"", "damaged")]
)
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=words):
        weights_catalog.load_tensors(path)


def test_only_tensors_are_loaded(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            import os

            return os.system, (f"touch {tmp_path}/ran",)

    torch.save({"x": Code()}, tmp_path / "code.pt")
    with pytest.raises(BenchError, match="more than tensors"):
        weights_catalog.load_tensors(tmp_path / "code.pt")
    assert not (tmp_path / "ran").exists()
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(BenchError, match="state dict"):
        weights_catalog.load_tensors(tmp_path / "list.pt")
    torch.save({"x": torch.ones(2)}, tmp_path / "good.pt")
    assert weights_catalog.load_tensors(tmp_path / "good.pt")["x"].sum() == 2


def test_a_file_that_replaces_another_within_one_tick_of_the_clock_is_hashed_anew(tmp_path: Path) -> None:
    path, hashes = tmp_path / "x.part", []
    for content in (b"wrong", b"right"):
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))
        weights_catalog.forget_hashes()
        hashes.append(weights_catalog.file_hash(path))
    assert hashes == [hashlib.sha256(content).hexdigest() for content in (b"wrong", b"right")]
