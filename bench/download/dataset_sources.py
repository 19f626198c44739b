"""Where the real datasets are published, and what is known of them: facts found in public documentation, 2026."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.errors import BenchError, did_you_mean

#: Where Hugging Face is asked; who has a mirror names it as its own tools do.
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset as somebody publishes it.

    Attributes:
        name: of its reader.
        title: display name.
        archive: address of the archive, `.zip` or `.tar.bz2`; one that begins with `/` is on Hugging Face.
        lists: addresses of files that belong beside what the archive holds.
        beside: the folder of the archive that those lists are about; they are put beside it.
        licence: as published, or what to do where none is stated.
        size: bytes of the archive, where that is known before anybody is asked.
    """

    name: str
    title: str
    archive: str
    lists: tuple[str, ...] = ()
    beside: str = ""
    licence: str = ""
    size: int = 0

    def address(self, url: str) -> str:
        """An address of this table in full."""
        return os.environ.get("HF_ENDPOINT", HUB).rstrip("/") + url if url.startswith("/") else url


SOURCES = {
    source.name: source
    for source in (
        PublishedDataset(
            "sky",
            "Sky Time-lapse",
            "/datasets/maxin-cn/SkyTimelapse/resolve/main/sky_timelapse.zip",
            licence="Apache-2.0, as its publisher says",
            size=29_300_000_000,
        ),
        PublishedDataset(
            "beach",
            "Beach",
            "http://data.csail.mit.edu/videogan/beach.tar.bz2",
            lists=("http://data.csail.mit.edu/videogan/beach.txt",),
            beside="frames-stable-many",
            licence="none is stated; ask its authors before you redistribute it",
        ),
    )
}


def published(name: str) -> PublishedDataset:
    """The table's line of a dataset; a `BenchError` that suggests the nearest one otherwise."""
    if name not in SOURCES:
        raise BenchError(f"There is no known download address for the dataset '{name}'.{did_you_mean(name, SOURCES)}")
    return SOURCES[name]
