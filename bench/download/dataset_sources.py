"""Download addresses of the real datasets and facts about them, from public documentation, 2026."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.errors import BenchError, did_you_mean

#: Default address of Hugging Face. To use a mirror, set HF_ENDPOINT, as for Hugging Face's own tools.
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset as its publisher provides it.

    Attributes:
        name: name of its reader.
        title: display name.
        archive: address of the archive, `.zip` or `.tar.bz2`; one that begins with `/` is on Hugging Face.
        lists: addresses of files that belong next to the archive's content.
        beside: the folder of the archive that those lists describe; they are placed next to it.
        licence: licence as published, or what to do if none is stated.
        size: size of the archive in bytes, if it is known before any request.
    """

    name: str
    title: str
    archive: str
    lists: tuple[str, ...] = ()
    beside: str = ""
    licence: str = ""
    size: int = 0

    def address(self, url: str) -> str:
        """Expand an address of this table to a full URL."""
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
    """Look up a dataset in the table; raise a `BenchError` that suggests the nearest name if it is missing."""
    if name not in SOURCES:
        raise BenchError(f"There is no known download address for the dataset '{name}'.{did_you_mean(name, SOURCES)}")
    return SOURCES[name]
