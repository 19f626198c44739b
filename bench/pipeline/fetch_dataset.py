"""`bench data fetch`: a published dataset, downloaded, checked, and unpacked into the layout that its reader expects.

Everything happens in a folder next to the requested one (its name plus `.fetching`), where an interrupted download is
kept and resumed. The dataset gets its final name when it is complete, hashed and indexed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import Timeout

from bench.config import is_offline
from bench.download.archive import unpack
from bench.download.dataset_sources import PublishedDataset, published
from bench.download.http import RemoteFile, download, look
from bench.download.progress import SourceError, show_transfer
from bench.errors import BenchError
from bench.files import disk_error, in_words, locked, sha256, write_json, write_text
from bench.progress import console
from bench.registry import DATASETS

#: Files added to the dataset's folder: its source, and the hash of each file as `sha256sum -c` reads it.
ACCOUNT, HASHES = "fetched.json", "SHA256SUMS"
#: Bytes per second of a 100 Mbit/s connection, for which the download time is estimated.
USUAL_SPEED = 12.5e6
#: An archive of JPEGs unpacks to about its own size, and both exist for a while.
SPACE_FACTOR = 2.05


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch a dataset.

    Attributes:
        archive: an existing file to unpack instead of a download; None to download the archive.
        url: address of the archive in place of the published one.
        sha256: expected SHA-256 of the archive; empty if it is unknown.
        keep: keep the archive next to the dataset.
        timeout: seconds without an answer or a byte after which an address is given up.
    """

    archive: Path | None = None
    url: str = ""
    sha256: str = ""
    keep: bool = False
    timeout: float = 30.0


def fetch(name: str, out: Path, options: FetchOptions | None = None) -> Path:
    """Fetch a published dataset into a folder; a dataset that was fetched before is left as it is.

    Raises:
        BenchError: the dataset is unknown, there is no network, the file is not the published one, the archive is
            damaged or leads out of its folder, the disk is full or too small, or the reader does not support the
            layout. Downloaded files are kept, and nothing exists under the final name.
    """
    source, options = published(name), options or FetchOptions()
    if (out / ACCOUNT).is_file():
        return out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} already exists and was not created by this command. Choose another folder.")
    working = out.with_name(f"{out.name}.fetching")
    try:
        working.mkdir(parents=True, exist_ok=True)
        with locked(working / "lock", timeout=0):
            _fetch(replace(source, archive=options.url or source.archive), out, working, options)
    except Timeout as error:
        raise BenchError(f"{out} is being fetched by another `bench data fetch`: wait for it.") from error
    except OSError as error:
        raise disk_error(error, working) from error
    shutil.rmtree(working, ignore_errors=True)
    return out


def _fetch(source: PublishedDataset, out: Path, working: Path, options: FetchOptions) -> None:
    archive, lists = _files(source, working, options)
    digest = sha256(archive)
    if options.sha256 and digest != options.sha256.lower():
        if options.archive is None:
            archive.unlink()
        raise BenchError(
            f"{archive} is not the expected archive: its SHA-256 is not {options.sha256.lower()}. Download it again."
        )
    unpacked = working / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)  # left by an interrupted attempt
    unpacked.mkdir()
    console().print(f"unpacking {archive.name} ({in_words(archive.stat().st_size)})", soft_wrap=True, markup=False)
    hashes = unpack(archive, unpacked)
    for file in lists:
        place = next((path.parent for path in unpacked.rglob(source.beside) if path.is_dir()), unpacked)
        shutil.copyfile(file, place / file.name)
        hashes[(place / file.name).relative_to(unpacked).as_posix()] = sha256(file)
    _check_layout(source, unpacked)
    write_text(unpacked / HASHES, "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items())))
    account = {
        "dataset": source.title,
        "licence": source.licence,
        "archive": {"name": archive.name, "bytes": archive.stat().st_size, "sha256": digest},
        "addresses": [source.address(url) for url in (source.archive, *source.lists)] if not options.archive else [],
        "files": len(hashes),
    }
    write_json(unpacked / ACCOUNT, account)
    with suppress(FileNotFoundError):
        out.rmdir()  # an empty folder may exist
    if options.keep and options.archive is None:
        os.replace(archive, out.with_name(archive.name))
    os.replace(unpacked, out)


def _files(source: PublishedDataset, working: Path, options: FetchOptions) -> tuple[Path, list[Path]]:
    """The archive and the lists that belong to it, downloaded if they are missing."""
    if options.archive is not None:
        if not options.archive.is_file():
            raise BenchError(f"There is no archive {options.archive}.")
        beside = [options.archive.with_name(_name(url)) for url in source.lists]
        if missing := [path for path in beside if not path.is_file()]:
            raise BenchError(f"{missing[0]} is missing next to {options.archive.name}: put the list there too.")
        return options.archive, beside
    if is_offline():
        raise BenchError(
            f"BENCH_OFFLINE forbids connections: get {_name(source.archive)} on another machine and give --archive."
        )
    urls = [source.address(url) for url in (source.archive, *source.lists)]
    files = [working / _name(url) for url in urls]
    if all(file.exists() for file in files):  # an earlier attempt downloaded them, and stopped while unpacking
        return files[0], files[1:]
    try:
        found = look(urls[0], options.timeout)
        _announce(source, found, files[0], working)
        for url, path in zip(urls, files, strict=True):
            _download(url, path, found if url == urls[0] else RemoteFile(), options.timeout)
    except SourceError as refusal:
        raise BenchError(
            f"{source.title} could not be fetched ({refusal}). The partial download is kept in {working}. To "
            f"resume, repeat the command; or get {files[0].name} in another way and pass it with --archive."
        ) from refusal
    return files[0], files[1:]


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2] or "archive"


def _announce(source: PublishedDataset, found: RemoteFile, archive: Path, working: Path) -> None:
    """Print the download size, how long it may take and the disk space it needs; refuse a disk that is too small."""
    size = found.size or source.size
    part = archive.with_name(f"{archive.name}.part")
    downloaded = max((path.stat().st_size for path in (archive, part) if path.exists()), default=0)
    need, free = size * SPACE_FACTOR - downloaded, shutil.disk_usage(working).free
    if free < need:
        raise BenchError(
            f"{source.title} needs {in_words(need)} in {working.parent} while it is unpacked, but "
            f"{in_words(free)} are free. Choose a folder on a larger disk."
        )
    minutes = max(1, round((size - downloaded) / USUAL_SPEED / 60))
    line = f"{in_words(size)} to download" + (
        f", {in_words(downloaded)} of it already downloaded" if downloaded else ""
    )
    time = f"about {minutes} min at 100 Mbit/s"
    console().print(
        f"{source.title}: {line} ({time}); {in_words(size * SPACE_FACTOR)} of disk space while it is unpacked, "
        f"half of that afterwards. Licence: {source.licence}.",
        markup=False,
        soft_wrap=True,
    )


def _download(url: str, path: Path, found: RemoteFile, timeout: float) -> None:
    """Download a file to its final path, resuming as long as each attempt makes progress."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.part")

    def right(file: Path) -> bool:
        whole = not found.size or file.stat().st_size == found.size
        return whole and (not found.sha256 or sha256(file) == found.sha256)

    def size() -> int:
        return part.stat().st_size if part.exists() else 0

    with show_transfer(f"{urlsplit(url).hostname}: {path.name}") as report:
        while True:
            before = size()
            try:
                download(url, part, right, report, timeout)
                break
            except SourceError as refusal:
                if not refusal.again or size() <= before:
                    raise SourceError(f"{url}: {refusal}") from refusal
    os.replace(part, path)


def _check_layout(source: PublishedDataset, root: Path) -> None:
    index: Callable[..., Any] = DATASETS.load(source.name)
    try:
        listing = index(root, ("train", "test"))
    except BenchError as error:
        raise BenchError(
            f"The archive was unpacked, but does not have the layout of {source.title}: {error}"
        ) from error
    if not listing.clips:
        raise BenchError(f"The archive was unpacked into {root}, but contains no clip of {source.title}.")
