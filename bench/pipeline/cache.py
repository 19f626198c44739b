"""`bench data clean`: list and remove the contents of the cache, which are all made again when needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, did_you_mean
from bench.files import cache_dir

#: Folders of the cache, and their contents. Weights are not included: they may have been copied there by hand.
KINDS = {
    "packs": "training clips at a model's size",
    "features": "features of clips, computed by metrics' networks",
    "unzipped": "unpacked archives that were scored",
    "synthetic": "the synthetic dataset",
}


@dataclass(frozen=True)
class CachedFolder:
    """One folder of the cache: its name, its contents, and its size in bytes."""

    kind: str
    what: str
    bytes: int


def cached() -> list[CachedFolder]:
    """The folders of the cache."""
    return [CachedFolder(kind, what, _size(cache_dir() / kind)) for kind, what in KINDS.items()]


def _size(folder: Path) -> int:
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names)


def clean(kinds: Collection[str]) -> list[CachedFolder]:
    """Remove folders of the cache; returns them as they were.

    No other command may be running.

    Raises:
        BenchError: the cache has no such folder.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise BenchError(f"The cache has no '{kind}'.{did_you_mean(kind, KINDS)}")
    removed = [one for one in cached() if one.kind in kinds]
    for one in removed:
        shutil.rmtree(cache_dir() / one.kind, ignore_errors=True)
    return removed
