"""A memory-mapped uint8 cache of clips at one size, named by the content it was made from.

Decoding and resizing JPEGs is many times slower than training's demand for them, so it is done once. The file's name
is the hash of the clips' content hashes, the size and this file's version: changed sources have another name and are
packed anew, and two runs on the same data share one file. A pack is complete or not there: it gets its name when its
last clip is in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from bench.data.clips import FRAMES, Clip, content_hash
from bench.data.video import Frames
from bench.data.workers import processors
from bench.errors import BenchError
from bench.files import built_once, cache_dir, digest, in_words, to_disk
from bench.progress import task

#: Raised whenever the same sources would give other bytes.
VERSION = 2


class Pack:
    """Clips as one memory-mapped array.

    Attributes:
        ids: clip ids in order.
        frames: uint8 `[N, T, H, W, 3]`, read-only.
    """

    def __init__(self, path: Path, ids: Sequence[str], resolution: int) -> None:
        self.path = path
        self.ids = list(ids)
        self.frames: Frames = np.memmap(path, np.uint8, "r", shape=shape(len(ids), resolution))

    def __len__(self) -> int:
        return len(self.ids)


def shape(clips: int, resolution: int) -> tuple[int, int, int, int, int]:
    """Shape of a pack."""
    return clips, FRAMES, resolution, resolution, 3


def pack_path(clips: Sequence[Clip], resolution: int, folder: Path) -> Path:
    """The file that a pack of these clips has, whether it is there or not."""
    key = digest({"version": VERSION, "resolution": resolution, "clips": [[c.id, c.sha256] for c in clips]})
    return folder / "packs" / f"{key[:32]}-{resolution}px.u8"


def pack(
    clips: Sequence[Clip], root: Path, resolution: int, folder: Path | None = None, workers: int | None = None
) -> Pack:
    """Open the pack of these clips, building it first where it is missing.

    A killed build goes on where it stopped. Of two processes that want the same pack, one builds and the other waits.

    Args:
        clips: with content hashes; the pack keeps their order.
        root: data root.
        resolution: side of the square frames in pixels.
        folder: cache folder, by default `cache_dir()`.
        workers: decoding threads, by default one for each processor that this process may use (Pillow lets go of the
            interpreter lock).

    Raises:
        BenchError: the disk is too small (it says how much is needed), or a clip cannot be decoded (it names the file).
    """
    path = pack_path(clips, resolution, folder or cache_dir())
    built_once(path, lambda: _build(path, clips, root, resolution, workers))
    return Pack(path, [clip.id for clip in clips], resolution)


def _build(path: Path, clips: Sequence[Clip], root: Path, resolution: int, workers: int | None) -> None:
    part, journal = path.with_suffix(".part"), path.with_suffix(".done")
    size = int(np.prod(shape(1, resolution)))
    done = {int(line) for line in journal.read_text().split()} if part.exists() and journal.exists() else set()
    need = size * (len(clips) - len(done))
    if (free := shutil.disk_usage(path.parent).free) < need:
        raise BenchError(
            f"Packing {len(clips)} clips at {resolution}×{resolution} needs {in_words(need)} in {path.parent}, "
            f"where {in_words(free)} are free: point BENCH_CACHE_DIR to a larger disk."
        )

    # pwrite and not a writable memory map: a full disk is then an error and not a SIGBUS.
    target = os.open(part, os.O_WRONLY | os.O_CREAT)
    try:

        def write(number: int) -> int:
            clip = clips[number]
            # The pack is named by the content hashes: other bytes under that name would stay for good.
            if clip.sha256 and content_hash(clip.files(root), clip.start, FRAMES) != clip.sha256:
                raise BenchError(
                    f"The clip {clip.id} has changed since it was indexed ({root / clip.path}): "
                    "put the old file back, or begin a new run."
                )
            frames = np.ascontiguousarray(clip.read(root, resolution))
            view = memoryview(frames.reshape(-1))  # type: ignore[arg-type]
            written = 0
            while written < size:
                written += os.pwrite(target, view[written:], number * size + written)
            return number

        left = [number for number in range(len(clips)) if number not in done]
        with (
            journal.open("a") as log,
            ThreadPoolExecutor(workers or processors()) as pool,
            task(f"packing clips at {resolution}×{resolution}", len(clips), len(done)) as progress,
        ):
            jobs = [pool.submit(write, number) for number in left]
            try:
                for job in as_completed(jobs):
                    print(job.result(), file=log, flush=True)
                    progress.advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        to_disk(target)
    finally:
        os.close(target)
    os.replace(part, path)
    journal.unlink()
