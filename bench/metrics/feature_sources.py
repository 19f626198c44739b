"""Sources of third-party networks' features, and the first such source: files of vectors by clip ID.

A source returns the features of the real clips and of each method's videos. Its identity contains a hash of what it
reads and is part of the protocol, so numbers based on different features have different protocol IDs.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.files import ARRAY_HEADS
from bench.metrics.base import Frames, RowKey

#: Exceptions that reading a broken archive raises.
_BROKEN = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
_EXPECTED = (
    "expected an .npz file with one vector [D] for each clip ID, or with the arrays 'ids' [N] and 'features' [N, D]"
)

_SAMPLE = re.compile(r"@\d+$")

Features = NDArray[Any]


class FeatureSource(ABC):
    """Features of clips from a third-party network.

    Attributes:
        name: the user's name for the features, with which the names of their metrics begin.
        argument: the command-line value that describes this source, without the user's own paths.
    """

    name: str
    argument: str

    @abstractmethod
    def identity(self) -> str:
        """What computed the features, with a SHA-256; part of the protocol."""

    @abstractmethod
    def of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[Features]:
        """Features [K, D] of each clip of a method, or of each real clip if `row` is None.

        Args:
            row: name, training seed and sample.
            ids: the clips' IDs.
            clips: their scored frames, uint8 [T, H, W, 3], decoded on access.
        """


class StoredFeatures(FeatureSource):
    """Vectors by clip ID, in one file for the real clips and one for each training run of each method.

    If a clip has several samples, their vectors are called `ID@0`, `ID@1` and so on; the first may also be called `ID`.

    Args:
        name: name of the features.
        rows: file of each training run of each method.
        real: file of the real clips.

    Raises:
        BenchError: a file cannot be read, or is inconsistent with the others.
    """

    def __init__(self, name: str, rows: Mapping[tuple[str, int], Path], real: Path) -> None:
        self.name = name
        self.argument = f"{name}={','.join(['FEATURES.npz'] * len(rows))}:REAL_FEATURES.npz"
        self._real_path, self._paths = real, dict(rows)
        self._real = read_features(real)
        self._rows = {row: read_features(path) for row, path in rows.items()}
        for row, path in rows.items():
            self._check(self._rows[row], path)

    def _check(self, vectors: Mapping[str, Features], path: Path) -> None:
        (size,), (expected,) = _sizes(vectors, path), _sizes(self._real, self._real_path)
        if size != expected:
            raise BenchError(
                f"{path} has vectors of {size} numbers and {self._real_path} of {expected}: compute both with "
                "the same network."
            )
        if surplus := sorted({_SAMPLE.sub("", id) for id in vectors.keys() - self._real.keys()} - self._real.keys()):
            raise BenchError(
                f"{path} has features of {_some(surplus)}, which {self._real_path} does not contain: compute "
                "both for the same clips."
            )

    def identity(self) -> str:
        """Size and hash of the real clips' vectors, which are equal for the same network on the same clips."""
        content = hashlib.sha256()
        for id in sorted(self._real):
            content.update(f"{id} {self._real[id].shape} {self._real[id].dtype}".encode())
            content.update(np.ascontiguousarray(self._real[id]).data)
        (size,) = _sizes(self._real, self._real_path)
        return f"{size} numbers a clip, real clips' vectors sha256:{content.hexdigest()}"

    def of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[Features]:
        """The stored vectors; raises a `BenchError` that names clips without one."""
        if row is None:
            vectors, path, called = self._real, self._real_path, list(ids)
        else:
            name, seed, sample = row
            vectors, path = self._rows[name, seed], self._paths[name, seed]
            called = [f"{id}@{sample}" if f"{id}@{sample}" in vectors or sample else id for id in ids]
        if missing := [id for id in called if id not in vectors]:
            named = " (vectors of a clip's samples are called ID@0, ID@1, …)" if row and row[2] else ""
            raise BenchError(
                f"{path} has no features of {_some(missing)}: add them{named}, or score other clips. It has "
                f"{len(vectors)}, such as {next(iter(vectors))}."
            )
        return [vectors[id] for id in called]


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _sizes(vectors: Mapping[str, Features], path: Path) -> set[int]:
    """The D that all vectors of a file share, as a set of one."""
    sizes = {vector.shape[1] for vector in vectors.values()}
    if len(sizes) != 1:
        raise BenchError(f"The vectors in {path} differ in length ({', '.join(map(str, sorted(sizes)))}): {_EXPECTED}.")
    return sizes


def read_features(path: Path) -> dict[str, Features]:
    """Vectors by clip ID, [K, D] each, as float32 or float64.

    Raises:
        BenchError: the file is missing or damaged, or contains something else.
    """
    try:
        with ARRAY_HEADS:
            archive = np.load(path, allow_pickle=False)
            arrays = None
            if isinstance(archive, np.lib.npyio.NpzFile):
                with archive:
                    arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise BenchError(f"The features file {path} does not exist: {_EXPECTED}.") from error
    except _BROKEN as error:
        raise BenchError(f"The features in {path} cannot be read ({error}): {_EXPECTED}.") from error
    if arrays is None:
        raise BenchError(f"{path} contains one array without clip IDs: {_EXPECTED}.")
    if arrays.keys() == {"ids", "features"}:
        ids, features = arrays["ids"], arrays["features"]
        if ids.ndim != 1 or features.ndim < 2 or len(ids) != len(features) or len(set(ids.tolist())) != len(ids):
            raise BenchError(
                f"{path} has 'ids' {list(ids.shape)} and 'features' {list(features.shape)}: expected one ID for each "
                "vector, each ID once."
            )
        arrays = dict(zip(map(str, ids), features, strict=True))
    if not arrays:
        raise BenchError(f"{path} is empty: {_EXPECTED}.")
    return {id: _vectors(id, array, path) for id, array in arrays.items()}


def _vectors(id: str, array: Features, path: Path) -> Features:
    """One clip's vectors as [K, D]."""
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or not array.size:
        raise BenchError(f"{path} has {array.dtype} {list(array.shape)} for {id}: {_EXPECTED}.")
    array = np.atleast_2d(array)
    array = array if array.dtype == np.float64 else array.astype(np.float32)
    if not np.isfinite(array).all():
        raise BenchError(f"{path} contains infinite values or NaN for {id}: compute its features again.")
    return array
