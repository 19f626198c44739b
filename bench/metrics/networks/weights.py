"""Weights of the networks behind FVD, FID and LPIPS: where they are published, how to know them, how to get them.

All of them lie in one folder, `BENCH_WEIGHTS_DIR` or the user's cache folder. A file is known by the hash its publisher
gives: a git blob SHA-1, or the beginning of a SHA-256. Nothing here opens a socket but the downloader.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from bench.errors import BenchError, did_you_mean

GITHUB = "https://raw.githubusercontent.com"
FVD_COPY = f"{GITHUB}/JunyaoHu/common_metrics_on_video_quality/5f751734ce9cef4cd2dddb235726b75dff62a387/fvd"


@dataclass(frozen=True)
class WeightFile:
    """A published file of weights.

    Attributes:
        name: what `bench weights` calls it.
        filename: in the weights folder, as published.
        urls: where it is published, in the order they are tried.
        hash: "git-blob-sha1", whole, or "sha256", of which publishers give the beginning.
        digest: in hexadecimal, lower case.
        purpose: which metric it serves.
    """

    name: str
    filename: str
    urls: tuple[str, ...]
    hash: Literal["git-blob-sha1", "sha256"]
    digest: str
    purpose: str


FILES = {
    file.name: file
    for file in (
        WeightFile(
            "fvd",
            "i3d_pretrained_400.pt",
            (
                f"{FVD_COPY}/videogpt/i3d_pretrained_400.pt",
                f"{GITHUB}/songweige/TATS/main/tats/fvd/i3d_pretrained_400.pt",
            ),
            "git-blob-sha1",
            "a867b87ac3a9097d200598b1d48a1b890d8ec744",
            "FVD: I3D trained on Kinetics-400",
        ),
        WeightFile(
            "fvd-styleganv",
            "i3d_torchscript.pt",
            (f"{FVD_COPY}/styleganv/i3d_torchscript.pt",),
            "git-blob-sha1",
            "93daef59c7ae0e9e8f76225521407e60cbafa6aa",
            "FVD: the same network as exported for StyleGAN-V",
        ),
        WeightFile(
            "fid",
            "pt_inception-2015-12-05-6726825d.pth",
            (
                "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
            ),
            "sha256",
            "6726825d",
            "FID: Inception of 2015",
        ),
        WeightFile(
            "lpips",
            "alexnet-owt-7be5be79.pth",
            ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
            "sha256",
            "7be5be79",
            "LPIPS: the AlexNet trunk",
        ),
    )
}


def known(name: str) -> WeightFile:
    """The table's line for `name`; a `BenchError` that suggests the nearest one otherwise."""
    if name not in FILES:
        raise BenchError(f"There are no weights '{name}'.{did_you_mean(name, FILES)}")
    return FILES[name]


def weights_dir() -> Path:
    """The folder of all weights: `BENCH_WEIGHTS_DIR`, or `weights` in the user's cache folder."""
    if folder := os.environ.get("BENCH_WEIGHTS_DIR"):
        return Path(folder).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("timelapse-bench") / "weights"


def find(name: str) -> Path | None:
    """The file of these weights where it is at hand, published or not; None otherwise."""
    path = weights_dir() / known(name).filename
    return path if path.is_file() else None


def command(name: str) -> str:
    """The command that gets these weights."""
    return f"bench weights fetch {known(name).name}"


def _hash(path: Path, algorithm: str) -> str:
    digest = hashlib.sha1(usedforsecurity=False) if algorithm == "git-blob-sha1" else hashlib.sha256()
    if algorithm == "git-blob-sha1":
        digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _hash_once(path: Path, algorithm: str, size: int, changed: int) -> str:
    """`_hash`, remembered while size and time of the file stay as they are."""
    return _hash(path, algorithm)


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file, "sha256" or "git-blob-sha1", in hexadecimal."""
    stat = path.stat()
    return _hash_once(path, algorithm, stat.st_size, stat.st_mtime_ns)


def is_published(file: WeightFile, path: Path) -> bool:
    """Whether the bytes at `path` are the published ones."""
    return file_hash(path, file.hash).startswith(file.digest)


def identity(path: Path) -> str:
    """What a stamp says of a file of weights: its name, its hash and whether it is the published one."""
    stamp = f"{path.name} sha256:{file_hash(path)[:12]}"
    published = any(file.filename == path.name and is_published(file, path) for file in FILES.values())
    return stamp if published else f"{stamp} (not the published weights)"


@dataclass(frozen=True)
class Verification:
    """What is at hand under a name: "published", "other" (some other file of that name) or "missing"."""

    name: str
    state: Literal["published", "other", "missing"]
    path: Path
    message: str


def verify(name: str) -> Verification:
    """Look whether the file of these weights is at hand and is the published one."""
    file, path = known(name), weights_dir() / known(name).filename
    if not path.is_file():
        return Verification(name, "missing", path, f"{path} is not there; get it with `{command(name)}`.")
    if is_published(file, path):
        return Verification(name, "published", path, f"{path} is the published file ({file.hash} {file.digest}).")
    found = file_hash(path, file.hash)[: len(file.digest)]
    return Verification(
        name,
        "other",
        path,
        f"{path} is not the published file: its {file.hash} is {found} where {file.digest} is due. Delete it and "
        f"give `{command(name)}`, or keep it knowing that no number made with it can be compared.",
    )


def fetch(
    name: str, offline: bool = False, progress: Callable[[int, int | None], None] | None = None, timeout: float = 5.0
) -> Path:
    """Return the published file of these weights, downloading it where it is not at hand.

    Addresses in `BENCH_WEIGHTS_MIRROR` (folders with the files under their published names, separated by spaces) are
    tried before the published ones. An interrupted download goes on where it stopped.

    Args:
        name: a line of the table.
        offline: open no socket.
        progress: called with the bytes there are and the bytes due, if known; by default a bar on stderr.
        timeout: seconds without an answer or a byte after which an address is given up.

    Raises:
        BenchError: unknown name; missing and `offline`; another file lies under the name; no address gave the file.
    """
    file = known(name)
    found = verify(name)
    if found.state == "published":
        return found.path
    if found.state == "other":
        raise BenchError(found.message)
    if offline:
        raise BenchError(
            f"{found.path} is not there and --offline opens no connection: give `{command(name)}` on a connected "
            "machine, or copy the file there."
        )
    from bench.metrics.networks.download import download

    mirrors = [mirror.rstrip("/") for mirror in os.environ.get("BENCH_WEIGHTS_MIRROR", "").split()]
    urls = [*(f"{mirror}/{file.filename}" for mirror in mirrors), *file.urls]
    download(urls, found.path, lambda path: is_published(file, path), progress, timeout)
    return found.path


def load_tensors(path: Path) -> dict[str, Any]:
    """A state dict from a file, by `torch.load` with `weights_only=True`.

    Raises `BenchError` for a file that is truncated, an HTML page or no state dict.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BenchError(f"There is no {path}.") from error
    except Exception as error:  # every kind of broken file raises an exception of its own
        with path.open("rb") as file:
            page = file.read(64).lstrip().startswith(b"<")
        kind = "is a web page, not weights" if page else "is damaged or holds more than tensors"
        raise BenchError(f"{path} {kind}: delete it and get it again with `bench weights fetch`.") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise BenchError(f"{path} holds {type(content).__name__}, where a state dict of tensors is expected.")
    return dict(content)
