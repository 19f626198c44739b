"""Videos as NumPy arrays: uint8 `[T, H, W, 3]` in `.npy`, or as the only array of an `.npz` archive."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from bench.data.readers.frames import Frames, Undeveloped
from bench.errors import BenchError
from bench.files import ARRAY_HEADS

#: Exceptions for broken files: from the system, from NumPy's parsing of a header as Python text, and from zipfile.
_BROKEN = (
    *(OSError, EOFError, ValueError, TypeError, OverflowError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
_ADVICE = "expected uint8 [frames, height, width, 3]"


def mapped(path: Path) -> Frames:
    """Map the frames of an `.npy` file into memory, so that only the frames that are used are read from disk."""
    try:
        with ARRAY_HEADS:
            frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except _BROKEN as error:
        raise BenchError(f"The array {path} cannot be read ({error}).") from error
    if not isinstance(frames, np.ndarray):
        frames.close()
        raise BenchError(f"The array {path} is an archive of arrays: rename it to end in .npz.")
    _check(frames.dtype, frames.shape, path)
    return frames


def array(path: Path) -> Iterator[Undeveloped]:
    """Yield the frames of an `.npy` file in order."""
    for frame in mapped(path):
        yield partial(np.array, frame)


def sample_count(path: Path) -> int:
    """Number of samples in an array with a leading axis of samples, `[K, T, H, W, 3]`; 0 for any other file."""
    if path.suffix.lower() not in (".npy", ".npz") or not path.is_file():
        return 0
    try:
        shape = _samples(path).shape
    except (BenchError, *_BROKEN):
        return 0  # reading the file reports what is wrong
    return shape[0] if len(shape) == 5 else 0


def sample_of(path: Path, number: int) -> Frames:
    """Read one sample from an array of several, uint8 `[T, H, W, 3]`."""
    try:
        frames = _samples(path)[number]
    except _BROKEN as error:
        raise BenchError(f"The array {path} cannot be read ({error}).") from error
    _check(frames.dtype, frames.shape, path)
    return np.array(frames)


def _samples(path: Path) -> Frames:
    with ARRAY_HEADS:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            if len(found.files) != 1:
                raise BenchError(f"The archive {path} must contain one array, the samples of a clip.")
            return np.asarray(found[found.files[0]])


def archive(path: Path) -> Iterator[Undeveloped]:
    """Yield the frames of the only array in an `.npz` archive in order, unpacked one at a time.

    Raises:
        BenchError: the archive is damaged, or contains no array, several arrays, or one of another kind.
    """
    try:
        with zipfile.ZipFile(path) as members:
            names = [name for name in members.namelist() if name.endswith(".npy")]
            if len(names) != 1:
                listed = ", ".join(name.removesuffix(".npy") for name in names) or "none"
                raise BenchError(f"The archive {path} must contain one array, the video's frames: found {listed}.")
            with members.open(names[0]) as member:
                yield from _unpacked(member, path)
                member.read()  # to the end, where the checksum is verified
    except _BROKEN as error:
        raise BenchError(f"The array {path} cannot be read ({error}).") from error


def _unpacked(member: IO[bytes], path: Path) -> Iterator[Undeveloped]:
    version = npy.read_magic(member)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with ARRAY_HEADS:
        shape, by_columns, dtype = read_header(member)
    _check(dtype, shape, path)
    if by_columns:
        raise BenchError(f"The array {path} is stored in column order: save it with numpy.ascontiguousarray.")
    count, height, width, channels = shape
    for _ in range(count):
        content = member.read(height * width * channels)
        if len(content) < height * width * channels:
            raise EOFError("it is truncated")
        yield partial(_frame, content, height, width)


def _frame(content: bytes, height: int, width: int) -> Frames:
    return np.frombuffer(content, np.uint8).reshape(height, width, 3)


def _check(dtype: np.dtype[np.generic], shape: tuple[int, ...], path: Path) -> None:
    if dtype != np.uint8 or len(shape) != 4 or shape[-1] != 3 or 0 in shape:
        raise BenchError(f"The array {path} is {dtype} {list(shape)}: {_ADVICE}.")
