"""Walking through folders: files and frame folders below a root, in an order that no machine changes."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.data.readers.video import READ, STILLS, natural
from bench.errors import BenchError


def _walk(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[tuple[Path, list[str]]]:
    """Every folder with its files' names, sorted, through links; hidden ones (macOS's `._a.mp4`) are left out."""
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder it lies in
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
    """All files below `top`, links to folders followed, hidden files and folders left out."""
    for folder, names in _walk(top):
        yield from (folder / name for name in names)


def frame_folders(top: Path, errors: list[str] | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Folders below `top` (itself included) that hold images directly, with the images' names in natural order.

    A folder whose names cannot be written to a manifest is left out and told in `errors`.

    Raises:
        BenchError: there is such a folder and no `errors` are given.
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
    """A sentence about the first name that is not UTF-8 on the disk, and so cannot be written to a manifest."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            return f"The name {printable(name)} is not UTF-8: rename the file or folder."
    return None


def on_one_line(name: str) -> bool:
    """Whether a name can be printed on a line: it has no line breaks and no control characters."""
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def composed(name: str) -> str:
    """A name in composed Unicode (NFC): `Küste` is one name, also where a disk has decomposed it as macOS does."""
    return unicodedata.normalize("NFC", name)


def file_state(path: Path) -> tuple[int, ...]:
    """What changes with a file's content: its number on the disk, size and time; nothing where it is missing."""
    try:
        status = path.stat()
    except OSError:
        return ()  # whoever opens it says what is wrong
    return status.st_ino, status.st_size, status.st_mtime_ns


#: How many things a message tells of.
_MOST = 3


def seen(top: Path) -> str:
    """What is in a folder and below, and what is read, for a message that says that nothing fits."""
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
    """A name of a file as it can be printed: bytes that are not UTF-8 are spelled out."""
    return os.fsencode(name).decode(errors="backslashreplace")
