"""Walking through folders: files and frame folders below a root, in an order that no machine changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.data.video import IMAGES, natural
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
        if not (names := [name for name in files if Path(name).suffix.lower() in IMAGES]):
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
            shown = os.fsencode(name).decode(errors="backslashreplace")
            return f"The name {shown} is not UTF-8: rename the file or folder."
    return None
