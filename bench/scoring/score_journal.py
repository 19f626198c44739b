"""The journals of computed values, keyed by the content they were computed from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from bench.files import to_disk
from bench.metrics.base import Column

#: Journals of shards, in the same folder as the journal of a scoring without shards.
SHARDS = "journal-*.jsonl"


def absorb(path: Path) -> None:
    """Append the complete lines of the shards' journals in the same folder to a journal, and remove those journals.

    Call this while holding the lock on the folder. A shard that is still running continues, but its later values are
    not found.
    """
    shards = sorted(path.parent.glob(SHARDS))
    if not shards:
        return
    with path.open("a", encoding="utf-8") as journal:
        journal.write("\n")  # the last line may have been cut short
        for shard in shards:
            with shard.open(encoding="utf-8", errors="replace") as lines:
                journal.writelines(line for line in lines if line.endswith("\n"))
        journal.flush()
        to_disk(journal.fileno())
    for shard in shards:
        shard.unlink()


class ScoreJournal:
    """Computed columns by content key: one JSON line each, appended as soon as the columns are known.

    All journals of a folder are read, but only the one at `path` is written. It is created with the first value.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, list[float]]] = {}
        self._file: TextIOWrapper | None = None
        for journal in sorted({path, *path.parent.glob("journal.jsonl"), *path.parent.glob(SHARDS)}):
            if not journal.exists():
                continue
            for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    key, columns = json.loads(line)
                except ValueError:  # a killed process cut this line short
                    continue
                self._known[key] = columns

    def get(self, key: str) -> dict[str, Column] | None:
        """The columns under a content key, if they were computed before."""
        columns = self._known.get(key)
        return None if columns is None else {name: np.array(values) for name, values in columns.items()}

    def put(self, key: str, columns: Mapping[str, Column]) -> None:
        """Store columns in memory and on disk."""
        plain = {name: [float(value) for value in values] for name, values in columns.items()}
        self._known[key] = plain
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8")
            self._file.write("\n")  # the last line may have been cut short
        self._file.write(json.dumps([key, plain]) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
