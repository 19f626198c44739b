"""Figures of a folder, drawn only where what they show has changed since they were drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files import digest, read_json, write_json

#: Raised whenever the same content would be drawn otherwise.
VERSION = 3
#: What each figure showed when it was drawn, beside the figures.
STAMP = "drawn.json"


class FigureCache:
    """The figures in a folder.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made_with = [VERSION, version("matplotlib"), version("pillow")]
        try:
            known = read_json(folder / STAMP)
        except BenchError:  # none yet, or cut short: everything is drawn
            known = {}
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        self._now: dict[str, Any] = {}

    def draw(
        self, name: str, shows: Any, draw: Callable[[Path], None], endings: Sequence[str] = (".pdf", ".png")
    ) -> Path | None:
        """Draw a figure unless it is there and shows the same; its last file, or None where nothing was to be drawn.

        Args:
            name: of the figure's files.
            shows: all that the figure depends on, as plain values; where it is equal the figure is.
            draw: writes the files to the path it is given, with the endings; nothing where there is nothing to draw.
            endings: of the figure's files.
        """
        files = [self._folder / f"{name}{ending}" for ending in endings]
        key = digest([self._made_with, shows])
        existing = [file.name for file in files if file.exists()]
        if self._known.get(name) != {"shows": key, "files": existing}:
            for file in files:  # no old figure stays where there is nothing to draw any more
                file.unlink(missing_ok=True)
            draw(self._folder / name)
            existing = [file.name for file in files if file.exists()]
        self._now[name] = {"shows": key, "files": existing}
        return files[-1] if existing else None

    def close(self) -> None:
        """Remember what was drawn."""
        write_json(self._folder / STAMP, self._now)
