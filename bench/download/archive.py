"""Unpacking of dataset archives so that nothing leaves the folder: no path out of it, no link, no device.

Every file is hashed while it is written. The archives' own checksums (CRC-32 of zip and bzip2) are checked as well.
"""

from __future__ import annotations

import hashlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from bench.errors import BenchError

_BLOCK = 1 << 20
#: Names that operating systems add to archives.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db"}
#: Callback for progress; receives the number of archive bytes processed so far.
UnpackProgress = Callable[[int], None]


def unpack(archive: Path, folder: Path, report: UnpackProgress = lambda done: None) -> dict[str, str]:
    """Unpack a zip archive, or a tar archive of any compression.

    Args:
        archive: the archive file.
        folder: folder to unpack into; created if it does not exist.
        report: called after each file.

    Returns:
        SHA-256 by path within the folder, in the archive's order.

    Raises:
        BenchError: the file is not an archive, or is damaged or encrypted; or it has a path that leads out of the
            folder, a link, a device, or the same path twice. Files that were unpacked before remain.
        OSError: the disk is full, or the folder cannot be written.
    """
    hashes: dict[str, str] = {}
    kind = _from_zip if zipfile.is_zipfile(archive) else _from_tar
    try:
        for name, content in kind(archive, report):
            path = _inside(name, archive)
            if path is None:
                continue
            if str(path) in hashes:
                raise BenchError(f"The archive {archive} has the path {name} twice. For safety, it is not unpacked.")
            hashes[str(path)] = _write(content, folder / path)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise BenchError(
            f"The archive {archive} is damaged, or not an archive ({error}): download it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile's errors for encryption and unknown compression
        raise BenchError(f"The archive {archive} cannot be unpacked ({error}).") from error
    return hashes


def _inside(name: str, archive: Path) -> PurePosixPath | None:
    """Return a member's path below the folder, None if it is not data; raise a `BenchError` if it leads elsewhere."""
    path = PurePosixPath(name)
    if PureWindowsPath(name).anchor or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise BenchError(
            f"The archive {archive} has the path {name!r}, which points outside it. For safety, it is not unpacked."
        )
    return None if _LITTER & set(path.parts) or path.name.startswith("._") or not path.parts else path


def _write(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while block := content.read(_BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _from_zip(path: Path, report: UnpackProgress) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        done = 0
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BenchError(
                    f"The archive {path} has a link or a device ({member.filename}). For safety, it is not unpacked."
                )
            _inside(member.filename, path)
            if not member.is_dir():
                with archive.open(member) as content:
                    yield member.filename, content
            done += member.compress_size
            report(done)


def _from_tar(path: Path, report: UnpackProgress) -> Iterator[tuple[str, IO[bytes]]]:
    # Read from front to back, because a compressed archive has no table of contents.
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            if not (member.isreg() or member.isdir()):
                raise BenchError(
                    f"The archive {path} has a link or a device ({member.name}). For safety, it is not unpacked."
                )
            _inside(member.name, path)
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None  # never None for a regular file
                yield member.name, content
            report(file.tell())
