"""Writing files so that a killed process leaves either the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it takes the place of `path`, else it is removed.

    Raises `BenchError` when the disk is full: nothing that lay at `path` before is lost.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.chmod(part, 0o644)  # mkstemp's 0600 would hide results from the rest of a lab
        os.replace(part, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        part.unlink(missing_ok=True)


def disk_error(error: OSError, path: str | Path) -> BenchError | OSError:
    """Turn "no space left" and "permission denied" into a sentence; give any other `OSError` back as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BenchError(
            f"The disk is full: {path} could not be written. Free some space and give the same command again; "
            "what was finished before is kept."
        )
    if error.errno in (errno.EACCES, errno.EROFS):
        return BenchError(f"No permission to write {path}: choose another folder with --out.")
    return error


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically, UTF-8, Unix line ends."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, with keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON; a missing or broken file is a `BenchError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BenchError(f"There is no {path}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not valid JSON ({error}).") from error


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
