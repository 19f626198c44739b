"""Archives of datasets, unpacked so that nothing leaves the folder: no path out of it, no link, no device.

Every file is hashed while it is written; archives' own checksums (CRC-32 of zip and bzip2) are checked on the way.
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
#: What systems leave in archives beside the data.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db"}
#: Called with the bytes of the archive that are dealt with.
UnpackProgress = Callable[[int], None]


def unpack(archive: Path, folder: Path, report: UnpackProgress = lambda done: None) -> dict[str, str]:
    """Unpack a zip archive, or a tar archive of any compression.

    Args:
        archive: the file.
        folder: to unpack into; made if it does not exist.
        report: called after each file.

    Returns:
        SHA-256 by path within the folder, in the archive's order.

    Raises:
        BenchError: it is no archive, damaged or encrypted; or it has a path that leads out of the folder, a link or a
            device, or one path twice. What was unpacked before stays where it is.
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
    except (RuntimeError, NotImplementedError) as error:  # how zipfile says encrypted, and an unknown compression
        raise BenchError(f"The archive {archive} cannot be unpacked ({error}).") from error
    return hashes


def _inside(name: str, archive: Path) -> PurePosixPath | None:
    """A member's path below the folder; None for what is no data. One that leads elsewhere is a `BenchError`."""
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
    # Read from front to back: a compressed archive has no table of what is in it.
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            if not (member.isreg() or member.isdir()):
                raise BenchError(
                    f"The archive {path} has a link or a device ({member.name}). For safety, it is not unpacked."
                )
            _inside(member.name, path)
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None  # of a regular file there is one
                yield member.name, content
            report(file.tell())
