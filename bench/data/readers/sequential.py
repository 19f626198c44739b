"""Clips of long videos in linear time and with the memory of one clip: a reader that continues where it stopped.

Packs, scores and checks request the clips of one file in order, and some of them twice. Seeking in a video file is
exact only in some formats. A file is therefore decoded from its beginning, but not again for later frames. Every thread
has its own reader: if jobs are handed out in order, each thread's jobs are in order too.
"""

from __future__ import annotations

import atexit
import os
import threading
from itertools import chain, islice
from pathlib import Path

import numpy as np

from bench.data.readers.arrays import mapped
from bench.data.readers.file_listing import file_state
from bench.data.readers.frames import Frames
from bench.data.readers.video import frames_of, resize, stack

_here = threading.local()


@atexit.register
def _close() -> None:
    """Close the open reader while the modules needed for this are still loaded."""
    _here.cursor = None


class _SequentialReader:
    """An open video, its current position, and the frames that it returned last."""

    def __init__(self, path: Path, key: tuple[object, ...]) -> None:
        self.key = key
        self.position = 0
        self._path = path
        self._ahead = frames_of(path)
        self._frames: Frames = _nothing()
        self._resolution: int | None = None

    def can_read(self, start: int, stop: int, resolution: int | None) -> bool:
        """Whether these frames are still ahead, or are among those returned last."""
        return start >= self.position or self._holds(start, stop, resolution)

    def _holds(self, start: int, stop: int, resolution: int | None) -> bool:
        first = self.position - len(self._frames)
        return first <= start and stop <= self.position and resolution == self._resolution

    def read(self, start: int, stop: int, resolution: int | None) -> Frames:
        """Read frames `start` to `stop`; fewer, or none, if the video ends earlier."""
        if not self._holds(start, stop, resolution):
            self._frames = _nothing()
            self.position += sum(1 for _ in islice(self._ahead, start - self.position))
            frames = (develop() for develop in islice(self._ahead, stop - start))
            first = next(frames, None)
            if first is not None:
                self._frames = stack(chain([first], frames), self._path, resolution)
            self._resolution = resolution
            self.position += len(self._frames)
        offset = start - (self.position - len(self._frames))
        return self._frames[offset : offset + stop - start].copy()


def _nothing() -> Frames:
    return np.empty((0, 0, 0, 3), np.uint8)


def read_frames(path: Path, start: int, stop: int, resolution: int | None = None) -> Frames:
    """Read frames `start` to `stop` of a video file as uint8 `[T, H, W, 3]`, resized to a square of side `resolution`.

    If the video ends earlier, fewer frames or none are returned.

    Raises:
        BenchError: the file cannot be decoded that far.
    """
    if path.suffix.lower() == ".npy":
        frames = np.array(mapped(path)[start:stop])
        return resize(frames, resolution) if resolution and len(frames) else frames
    key = (os.getpid(), path, *file_state(path))  # a forked process shares the position in an open file
    cursor: _SequentialReader | None = getattr(_here, "cursor", None)
    if cursor is None or cursor.key != key or not cursor.can_read(start, stop, resolution):
        cursor = _SequentialReader(path, key)
    _here.cursor = None  # a reader that fails midway cannot be used again
    frames = cursor.read(start, stop, resolution)
    _here.cursor = cursor
    return frames
