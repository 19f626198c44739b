"""Folder traversal: files and frame folders below a root, in the same order on every machine."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.data.readers.video import READ, STILLS, natural
from bench.errors import BenchError


def _walk(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder with its sorted file names, following links; hidden names (macOS's `._a.mp4`) are skipped."""
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that contains it
        return
    try:
        with os.scandir(folder) as entries:
            seen = sorted((e.name, e.is_dir(), e.is_file()) for e in entries if not e.name.startswith("."))
    except OSError as error:
        raise BenchError(f"The folder {folder} cannot be read ({error.strerror}).") from error
    yield folder, [name for name, _, is_file in seen if is_file]
    for name, is_folder, _ in seen:
        if is_folder:
            yield from _walk(folder / name, above | {real})


def files_below(top: Path) -> Iterator[Path]:
    """Yield all files below `top`, following links to folders and skipping hidden files and folders."""
    for folder, names in _walk(top):
        yield from (folder / name for name in names)


def frame_folders(top: Path, errors: list[str] | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Yield folders below `top` (inclusive) that directly contain images, with the images' names in natural order.

    A folder whose names cannot be written to a manifest is skipped and reported in `errors`.

    Raises:
        BenchError: there is such a folder, and `errors` is not given.
    """
    for folder, files in _walk(top):
        if not (names := [name for name in files if Path(name).suffix.lower() in STILLS]):
            continue
        if problem := name_error([str(folder), *(f"{folder}/{name}" for name in names)]):
            if errors is None:
                raise BenchError(problem)
            errors.append(problem)
            continue
        yield folder, sorted(names, key=natural)


def name_error(names: Iterable[str]) -> str | None:
    """Error message about the first name that is not UTF-8 on disk and therefore cannot be written to a manifest."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            return f"The name {printable(name)} is not UTF-8: rename the file or folder."
    return None


def on_one_line(name: str) -> bool:
    """Whether a name can be printed on one line: it has no line breaks and no control characters."""
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def composed(name: str) -> str:
    """Convert a name to composed Unicode (NFC): `Küste` is one name, even if a disk decomposes it, as macOS does."""
    return unicodedata.normalize("NFC", name)


def file_state(path: Path) -> tuple[int, ...]:
    """State that changes with a file's content: inode, size and modification time; empty if the file is missing."""
    try:
        status = path.stat()
    except OSError:
        return ()  # opening the file reports what is wrong
    return status.st_ino, status.st_size, status.st_mtime_ns


#: Maximum number of items listed in a message.
_MOST = 3


def seen(top: Path) -> str:
    """Description of a folder tree's content and of the supported formats, for a message that nothing fits."""
    counts = []
    for folder, names in _walk(top):
        where = "" if folder == top else f" in {printable(folder.relative_to(top).as_posix())}"
        endings = Counter(Path(name).suffix.lower() for name in names)
        counts += [f"{_files(count, ending)}{where}" for ending, count in sorted(endings.items())]
    more = f" and {len(counts) - _MOST} more" if len(counts) > _MOST else ""
    return f"it contains {', '.join(counts[:_MOST]) or 'no files'}{more}. Supported: {READ}"


def _files(count: int, ending: str) -> str:
    files = "files" if count > 1 else "file"
    return f"{count} {printable(ending)} {files}" if ending else f"{count} {files} without an ending"


def printable(name: str) -> str:
    """Printable form of a file name: bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode(errors="backslashreplace")
