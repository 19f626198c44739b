from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.files import (
    atomic_path,
    built_once,
    digest,
    disk_error,
    locked,
    plain,
    read_json,
    sha256,
    sole_writer,
    write_json,
    write_text,
)
from bench.runfolder import RunFolder


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
    with pytest.raises(BenchError, match=r"/file is a file, but a folder is needed there. Choose another"):
        write_text(tmp_path / "file" / "a", "x")
    with pytest.raises(BenchError, match=r"/file is a file, but a folder is needed there. Choose another"):
        write_text(tmp_path / "file" / "deeper" / "a", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BenchError, match=r"/folder is a folder, but a file is needed there. Choose another"):
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


def refusing(monkeypatch: pytest.MonkeyPatch, function: str, number: int) -> None:
    """Let a system call fail as on a file system that lacks it."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(function, refuse)


@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("os.chmod", errno.EPERM),
        ("os.chmod", errno.ENOTSUP),
        ("os.fsync", errno.EINVAL),
        ("os.fsync", errno.ENOSYS),
        ("os.fsync", errno.ENOTSUP),
    ],
)
def test_a_file_system_without_modes_or_flushing_is_written_to(
    function: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, function, number)
    write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("function", ["os.chmod", "os.fsync"])
def test_a_disk_that_fails_is_not_passed_over(function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, function, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        write_text(tmp_path / "a", "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_named_with_what_to_do(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, "fcntl.flock", number)
    message = rf"The file system of {tmp_path} cannot lock files \({os.strerror(number)}\).*another disk \(--out"
    with pytest.raises(BenchError, match=message):
        built_once(tmp_path / "pack", lambda: None)
    with pytest.raises(BenchError, match=message), sole_writer(RunFolder(tmp_path)):
        pass
    with pytest.raises(BenchError, match=message), locked(tmp_path / "lock"):
        pass


def test_what_fails_while_a_lock_is_held_is_not_blamed_on_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="its own") as failed, locked(tmp_path / "lock"):
        raise OSError(errno.ENOLCK, "its own")
    assert not isinstance(failed.value, BenchError)
    out = RunFolder(tmp_path / "out")
    with sole_writer(out), pytest.raises(BenchError, match="in use by another"), sole_writer(out):
        pass


def test_a_task_of_srun_that_finds_the_folder_in_use_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal() -> str:
        with pytest.raises(BenchError) as refused, sole_writer(RunFolder(tmp_path)):
            pass
        return str(refused.value)

    with sole_writer(RunFolder(tmp_path)):
        assert refusal().endswith("choose another folder with --out.")
        monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
        assert "srun started this command 4 times: use srun --ntasks=1" in refusal()
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "7")  # one task a machine, which starts torchrun
        assert "srun started" not in refusal()
