from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.files import atomic_path, digest, disk_error, plain, read_json, sha256, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as part:
            part.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BenchError, match=r"The disk is full: .*a\.txt"):
        fail()
    assert not list(tmp_path.iterdir())


def test_files_can_be_read_by_others(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_json_reads_back_and_broken_json_is_named(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "ü": "×"}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(BenchError, match=r"b\.json is not valid JSON"):
        read_json(tmp_path / "b.json")
    with pytest.raises(BenchError, match=r"There is no .*c\.json"):
        read_json(tmp_path / "c.json")


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_a_file_where_a_folder_is_due_and_the_other_way_round(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "x")
    with pytest.raises(BenchError, match=r"/file is a file where a folder is due: choose another"):
        write_text(tmp_path / "file" / "a", "x")
    with pytest.raises(BenchError, match=r"/file is a file where a folder is due: choose another"):
        write_text(tmp_path / "file" / "deeper" / "a", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BenchError, match=r"/folder is a folder where a file is due: choose another"):
        write_text(tmp_path / "folder", "x")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}
    with pytest.raises(BenchError, match=r"There is no .*/file/a"):
        read_json(tmp_path / "file" / "a")
    with pytest.raises(BenchError, match=r"/folder cannot be read"):
        read_json(tmp_path / "folder")


def test_a_folder_that_may_not_be_written_is_named_with_what_chooses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.mkstemp", denied)
    with pytest.raises(BenchError, match=r"No permission to write .*/out/a: choose another folder with --out"):
        write_text(tmp_path / "out" / "a", "x")
    with pytest.raises(BenchError, match=r"No permission to write .*/cache/a: point BENCH_CACHE_DIR"):
        write_text(tmp_path / "cache" / "a", "x")
    # The caller may know no more than the folder of its results.
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "cache" / "packs"))
    assert "point BENCH_CACHE_DIR" in str(disk_error(error, tmp_path / "out"))


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert disk_error(error, tmp_path) is error


def test_a_file_that_may_not_be_read_is_not_said_to_be_unwritable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "a.png"
    hidden.write_bytes(b"")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: not (p == hidden and mode == os.R_OK) and allowed(p, mode))
    error = PermissionError(errno.EACCES, "Permission denied", str(hidden))
    assert str(disk_error(error, tmp_path / "out")).startswith(f"No permission to read {hidden}")


def test_values_become_what_json_has() -> None:
    value = {1: (np.int64(2), np.float32("nan"), float("inf")), "deep": [{"row": np.bool_(True), "text": "x"}]}
    assert plain(value) == {"1": [2, None, None], "deep": [{"row": True, "text": "x"}]}
