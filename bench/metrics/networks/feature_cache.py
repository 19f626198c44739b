"""Shared by the metrics that run a network: its device, its precision, and features cached on disk."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench import files
from bench.errors import BenchError
from bench.files import ARRAY_HEADS, atomic_path
from bench.metrics.base import Frames
from bench.progress import console

Features = NDArray[np.float32]

CPU = torch.device("cpu")
#: Feature files up to this size are read; larger ones are memory-mapped.
_SMALL = 1 << 16
#: Environment variables with which users choose the kernels of oneDNN and MKL.
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


def default_device() -> torch.device:
    """A CUDA GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Keep a GPU from rounding float32 to TF32, which it does in convolutions by default."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@lru_cache(maxsize=1)
def _maker() -> str:
    """The processor's vendor as reported by Linux, empty elsewhere; MKL chooses kernels by vendor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":")[-1].strip() for line in lines if line.startswith(("vendor_id", "CPU impl"))), "")


def arithmetic(device: torch.device) -> str:
    """What determines the last digits of a network's output: the PyTorch version, and the processor or the GPU."""
    version = f"torch {torch.__version__} {device.type}"
    if device.type == "cuda":
        libraries = f"{torch.version.cuda} cudnn {torch.backends.cudnn.version()}"
        return f"{version} {libraries} {torch.cuda.get_device_name(device)}"
    chosen = [f"{name}={os.environ[name].upper()}" for name in _LIMITS if os.environ.get(name)]
    return " ".join([version, platform.machine(), _maker(), torch.backends.cpu.get_cpu_capability(), *chosen])


def cache_dir() -> Path:
    """The folder of cached features, inside the general cache folder."""
    return files.cache_dir() / "features"


class FeatureCache:
    """Features of clips on disk, under a key made from the clip's bytes and everything else they depend on.

    The key contains content, never a name: a changed byte, other weights or different preprocessing gives another
    entry. So does another PyTorch version, another instruction set or a GPU, because the last digits differ.

    Small features are read into memory. Large ones (FID's 2048 numbers per frame) are memory-mapped, and take memory
    only while they are in use. Neither keeps a file open. If the folder is not writable, features are kept in memory.
    """

    def __init__(self, folder: Path, identity: str, device: torch.device = CPU) -> None:
        """`identity` identifies the weights and the version of everything between a clip and its features."""
        self._folder, self._identity = folder, f"{identity} {arithmetic(device)}"
        self._memory: dict[Path, Features] = {}

    def path(self, clip: Frames) -> Path:
        """The features file of a clip uint8 [T, H, W, 3]."""
        digest = hashlib.sha256(f"{self._identity} {clip.shape}".encode())
        digest.update(np.ascontiguousarray(clip).data)
        key = digest.hexdigest()
        return self._folder / key[:2] / f"{key[2:]}.npy"

    def get(self, clip: Frames) -> Features | None:
        """The cached features of a clip, or None if they are missing or unreadable."""
        path = self.path(clip)
        try:
            return _read(path)
        except (OSError, ValueError):  # missing, or truncated by a killed process: compute it again
            return self._memory.get(path)

    def put(self, clip: Frames, features: Features) -> Features:
        """Store the features of a clip and return them as `get` does: large ones without taking memory."""
        path = self.path(clip)
        try:
            with atomic_path(path) as part:
                np.save(part, features, allow_pickle=False)
            return _read(path)
        except (BenchError, OSError, ValueError) as error:  # costs time, but changes no number
            if not self._memory:
                console().print(f"Features are not cached: {error}", style="yellow", markup=False, soft_wrap=True)
            self._memory[path] = features
            return features


def _read(path: Path) -> Features:
    """An array from its file, read-only, with no file left open.

    Each of NumPy's own memory maps holds a file descriptor, and many systems limit a process to 1,024. PyTorch's memory
    maps hold none.
    """
    with ARRAY_HEADS:
        mapped: np.memmap[Any, np.dtype[np.float32]] = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.nbytes > _SMALL:
        try:
            whole = torch.from_file(str(path), shared=False, size=mapped.offset + mapped.nbytes, dtype=torch.uint8)
            found: Features = whole.numpy()[mapped.offset :].view(mapped.dtype).reshape(mapped.shape)
        except RuntimeError:  # systems limit the number of maps as well
            found = np.array(mapped)
    else:
        found = np.array(mapped)
    found.flags.writeable = False
    return found


def through_cache(
    clips: Sequence[Frames],
    cache: FeatureCache | None,
    compute: Callable[[list[Frames]], list[Features]],
    group: int = 8,
) -> list[Features]:
    """Features of each clip, from the cache if available; the rest are computed and stored, a few at a time."""
    computed: dict[int, Features] = {}
    waiting: list[int] = []
    for index in range(len(clips)):
        cached = cache.get(clips[index]) if cache else None
        if cached is not None:
            computed[index] = cached
        else:
            waiting.append(index)
        if waiting and (len(waiting) == group or index == len(clips) - 1):
            few = [clips[i] for i in waiting]
            for i, clip, features in zip(waiting, few, compute(few), strict=True):
                computed[i] = cache.put(clip, features) if cache else features
            waiting = []
    return [computed[index] for index in range(len(clips))]
