"""Figures of a folder, redrawn only if their content has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files import digest, read_json, write_json

#: Raised whenever the same content would be drawn differently.
VERSION = 3
#: File next to the figures that records what each figure showed when it was drawn.
STAMP = "drawn.json"


class FigureCache:
    """The figures in a folder.

    Args:
        folder: folder of the figures.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made_with = [VERSION, version("matplotlib"), version("pillow")]
        try:
            known = read_json(folder / STAMP)
        except BenchError:  # missing or truncated: everything is drawn
            known = {}
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        self._now: dict[str, Any] = {}

    def draw(
        self, name: str, shows: Any, draw: Callable[[Path], None], endings: Sequence[str] = (".pdf", ".png")
    ) -> Path | None:
        """Draw a figure unless an equal one exists; return its last file, or None if there is nothing to draw.

        Args:
            name: name of the figure's files, without extension.
            shows: everything that the figure depends on, as plain values; equal values give equal figures.
            draw: writes the files to the given path with the extensions, or no files if there is nothing to draw.
            endings: extensions of the figure's files.
        """
        files = [self._folder / f"{name}{ending}" for ending in endings]
        key = digest([self._made_with, shows])
        existing = [file.name for file in files if file.exists()]
        if self._known.get(name) != {"shows": key, "files": existing}:
            for file in files:  # no outdated figure may remain if there is nothing left to draw
                file.unlink(missing_ok=True)
            draw(self._folder / name)
            existing = [file.name for file in files if file.exists()]
        self._now[name] = {"shows": key, "files": existing}
        return files[-1] if existing else None

    def close(self) -> None:
        """Record what was drawn."""
        write_json(self._folder / STAMP, self._now)
