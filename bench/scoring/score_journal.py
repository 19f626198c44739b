"""The journal of computed values, keyed by the content they were computed from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.metrics.base import Column


class ScoreJournal:
    """Computed columns by content key: one JSON line each, appended as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self._known: dict[str, dict[str, list[float]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    key, columns = json.loads(line)
                except ValueError:  # a kill cut this line short
                    continue
                self._known[key] = columns
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n")  # whatever a cut line ends with, the next one starts afresh

    def get(self, key: str) -> dict[str, Column] | None:
        """The columns under a content key, if they were computed before."""
        columns = self._known.get(key)
        return None if columns is None else {name: np.array(values) for name, values in columns.items()}

    def put(self, key: str, columns: Mapping[str, Column]) -> None:
        """Keep columns, in memory and on disk."""
        plain = {name: [float(value) for value in values] for name, values in columns.items()}
        self._known[key] = plain
        self._file.write(json.dumps([key, plain]) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
