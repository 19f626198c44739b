"""Atomic file writes: a killed process leaves either the old file or the new one, never a partial one."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.errors import BenchError
from bench.runfolder import PART, RunFolder

#: Held while the header of an `.npy` file is read. NumPy parses the header as Python text, and Python 3.11 counts the
#: depth of such parses across all threads. Two parses in parallel may raise a SystemError (python/cpython#106905).
ARRAY_HEADS = threading.Lock()
#: Error codes of file systems that lack an operation: SMB, some FUSE, NFS without its lock service.
LACKING = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def cache_dir() -> Path:
    """Folder for packs, features and synthetic scenes: `BENCH_CACHE_DIR`, or the platform's user cache folder."""
    if chosen := os.environ.get("BENCH_CACHE_DIR"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("timelapse-bench")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; on success it replaces `path`, otherwise it is removed.

    Raises `BenchError` when the disk is full or `path` cannot be written. An existing file is then kept.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PART, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise disk_error(error, path) from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            to_disk(written.fileno())
        _show(part)
        os.replace(part, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        part.unlink(missing_ok=True)


def to_disk(handle: int) -> None:
    """Wait until an open file or folder is written to disk, if the file system supports that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in LACKING:
            raise


def _show(part: Path) -> None:
    """Make a file readable by all users: mkstemp's mode 0600 would hide results from the rest of a lab."""
    try:
        os.chmod(part, 0o644)
    except OSError as error:  # on SMB and some FUSE, mount options fix the modes
        if error.errno not in LACKING | {errno.EPERM}:
            raise


@contextmanager
def locked(path: str | Path, timeout: float = -1) -> Iterator[None]:
    """Hold an exclusive lock on a lock file; the operating system releases it if the process ends.

    Args:
        path: the lock file, in a folder that exists.
        timeout: seconds to wait for other holders; negative for no limit.

    Raises:
        filelock.Timeout: the lock is still held elsewhere after `timeout` seconds.
        BenchError: the file system does not support locks.
        OSError: the lock file cannot be written.
    """
    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in LACKING | {errno.ENOLCK}:
            raise
        raise BenchError(
            f"The file system of {Path(path).parent} cannot lock files ({error.strerror}). Locks prevent two "
            "commands from writing the same file. Choose a folder on another disk (--out for results, "
            "BENCH_CACHE_DIR for the cache, BENCH_WEIGHTS_DIR for weights). On NFS, start its lock service."
        ) from error
    try:
        yield
    finally:
        lock.release()


def built_once(path: Path, build: Callable[[], None]) -> Path:
    """Return `path`, and build it if it does not exist; among several processes, one builds and the others wait.

    Args:
        path: a file or a folder.
        build: creates it completely at `path`, or raises and leaves nothing there.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(f"{path}.lock"):
                if not path.exists():
                    build()
        except OSError as error:
            raise disk_error(error, path) from error
    return path


@contextmanager
def sole_writer(folder: RunFolder) -> Iterator[None]:
    """Create a results folder if needed, and lock it against other writers during the block.

    Raises:
        BenchError: another command is writing to the folder, or it is not writable.
    """
    with ExitStack() as locks:
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            locks.enter_context(locked(folder.lock, timeout=0))
        except Timeout as error:
            raise BenchError(
                f"{folder.path} is in use by another `bench` command. Wait for it to finish, or choose another "
                "folder with --out."
                f"{_started_by_srun()}"
            ) from error
        except OSError as error:
            raise disk_error(error, folder.path) from error
        yield


def _started_by_srun() -> str:
    """Additional advice if SLURM's `srun` started several copies of this command; otherwise empty."""
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks == "1" or "TORCHELASTIC_RUN_ID" in os.environ:
        return ""
    return f" srun started this command {tasks} times: use srun --ntasks=1, or srun --ntasks-per-node=1 torchrun."


def in_words(size: float) -> str:
    """A number of bytes in a readable unit.

    >>> in_words(56.3e9), in_words(4.2e6), in_words(900)
    ('56.3 GB', '4.2 MB', '0.9 kB')
    """
    factor, unit = next(((f, u) for f, u in ((1e9, "GB"), (1e6, "MB")) if size >= f), (1e3, "kB"))
    return f"{size / factor:.1f} {unit}"


def disk_error(error: OSError, path: str | Path) -> BenchError | OSError:
    """Turn an `OSError` that a user can act on into a `BenchError`; return any other one unchanged.

    The errors are: no space left, permission denied, a file where a folder is expected, and a folder for a file.
    """
    # os.path throughout, because the methods of Path raise if a parent folder cannot be entered.
    # The error often names a more precise path than the caller, which may only know the top folder.
    candidates = (error.filename2, error.filename, path)
    places = [Path(os.fsdecode(name)) for name in candidates if isinstance(name, str | bytes | Path)]
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BenchError(
            f"The disk is full: {path} could not be written. Free some space and repeat the command; finished "
            "work is kept."
        )
    if error.errno in (errno.EACCES, errno.EROFS):
        if cached := next(filter(_in_cache, reversed(places)), None):
            return BenchError(f"No permission to write {cached}: point BENCH_CACHE_DIR to another folder.")
        if hidden := next((p for p in places if os.path.isfile(p) and not os.access(p, os.R_OK)), None):
            return BenchError(f"No permission to read {hidden}: change its mode, or ask its owner to.")
        return BenchError(f"No permission to write {path}: choose another folder with --out.")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        for place in places:
            if file := next((p for p in (place, *place.parents) if os.path.isfile(p)), None):
                return BenchError(
                    f"{file} is a file, but a folder is needed there. Choose another folder, or move the file."
                )
    if error.errno == errno.EISDIR and (folder := next(filter(os.path.isdir, places), None)):
        return BenchError(
            f"{folder} is a folder, but a file is needed there. Choose another file name, or move the folder."
        )
    return error


def _in_cache(path: Path) -> bool:
    return path.absolute().is_relative_to(cache_dir().absolute())


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically, as UTF-8 with Unix line endings."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, with keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Convert nested values to JSON types: numbers that are not finite become null, NumPy scalars Python numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar; NumPy is not imported for this
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: str | Path) -> Any:
    """Read JSON; raise a `BenchError` that names the file if it is missing or invalid."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BenchError(f"There is no {path}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not valid JSON ({error}).") from error
    except NotADirectoryError as error:
        raise BenchError(f"There is no {path}.") from error
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}.") from error


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
