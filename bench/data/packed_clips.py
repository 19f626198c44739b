"""A memory-mapped uint8 cache of clips at one size, named after the content it was made from.

Decoding and resizing JPEGs is many times slower than training requires, so it is done once. The file name is the hash
of the clips' content hashes, the size and this file's version. Changed sources therefore get another name and are
packed again, and two runs on the same data share one file. A pack is either complete or absent: it gets its name only
when all clips have been written and read back.

While a pack is built, a journal next to it lists the clips that are on disk, each with a checksum of its bytes. A
killed build resumes from the journal. The checksums are compared before the pack gets its name. Damage in between (a
deleted file, a power loss, a torn journal line) therefore never remains under a name that promises the right content.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.data.clips import FRAMES, Clip, content_hash
from bench.data.readers.video import Frames
from bench.data.workers import processors
from bench.errors import BenchError
from bench.files import built_once, cache_dir, digest, in_words, to_disk
from bench.progress import task

#: Incremented whenever the same sources would give different bytes. Packs of version 2 were not read back and may
#: contain black clips, so they are no longer found.
VERSION = 3
#: Seconds between two writes of the journal, each of which waits for the disk.
_PAUSE = 2.0


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
    """Path of the pack of these clips, whether or not it exists."""
    key = digest({"version": VERSION, "resolution": resolution, "clips": [[c.id, c.sha256] for c in clips]})
    return folder / "packs" / f"{key[:32]}-{resolution}px.u8"


def pack(
    clips: Sequence[Clip], root: Path, resolution: int, folder: Path | None = None, workers: int | None = None
) -> Pack:
    """Open the pack of these clips, building it first if it is missing.

    A killed build resumes where it stopped. If two processes need the same pack, one builds it and the other waits.

    Args:
        clips: clips with content hashes; the pack keeps their order.
        root: data root.
        resolution: side of the square frames in pixels.
        folder: cache folder; defaults to `cache_dir()`.
        workers: number of decoding threads; by default one for each processor that this process may use (Pillow
            releases the interpreter lock).

    Raises:
        BenchError: the disk is too small (the message states the space needed), a clip cannot be decoded (the message
            names the file), or the disk returns other bytes than were written.
    """
    path = pack_path(clips, resolution, folder or cache_dir())
    built_once(path, lambda: _build(path, clips, root, resolution, workers))
    return Pack(path, [clip.id for clip in clips], resolution)


class _PackJournal:
    """Journal of an unfinished pack: one line per clip on disk, with its number and the CRC-32 of its bytes."""

    def __init__(self, path: Path, target: int, known: Mapping[int, int]) -> None:
        """Start a journal of the file `target` (a descriptor) with its known clips and checksums."""
        self._target, self._waiting, self._written = target, dict(known), time.monotonic()
        self._file = path.open("w")
        self.write()

    def add(self, number: int, checksum: int) -> None:
        """Record a clip, to be written to the journal later."""
        self._waiting[number] = checksum
        if time.monotonic() - self._written > _PAUSE:
            self.write()

    def write(self) -> None:
        """Write the recorded clips to the journal, after flushing the clips themselves to disk."""
        if self._waiting:
            to_disk(self._target)
            self._file.writelines(f"{number} {checksum:08x}\n" for number, checksum in self._waiting.items())
            self._file.flush()
            self._waiting = {}
        self._written = time.monotonic()

    def close(self) -> None:
        """Write the remaining clips to the journal and close it."""
        try:
            self.write()
        finally:
            self._file.close()


def _journalled(part: Path, journal: Path, clips: int) -> dict[int, int]:
    """Checksums of the clips in the complete lines of a journal; empty if the journal or its pack file is missing."""
    if not part.exists() or not journal.exists():
        return {}
    lines = re.findall(r"^(\d+) ([0-9a-f]{8})\n", journal.read_text(errors="replace"), re.MULTILINE)
    return {int(number): int(checksum, 16) for number, checksum in lines if int(number) < clips}


def _build(path: Path, clips: Sequence[Clip], root: Path, resolution: int, workers: int | None) -> None:
    part, journal = path.with_suffix(".part"), path.with_suffix(".done")
    size = int(np.prod(shape(1, resolution)))
    done = _journalled(part, journal, len(clips))
    need = size * (len(clips) - len(done))
    if (free := shutil.disk_usage(path.parent).free) < need:
        raise BenchError(
            f"Packing {len(clips)} clips at {resolution}×{resolution} needs {in_words(need)} in {path.parent}, "
            f"which has {in_words(free)} free. Point BENCH_CACHE_DIR to a larger disk, or remove old packs "
            "(`bench data clean --remove packs`)."
        )
    # pwrite instead of a writable memory map: a full disk then raises an error instead of SIGBUS.
    target = os.open(part, os.O_RDWR | os.O_CREAT)
    try:
        for _ in range(2):  # clips that an earlier process left damaged are packed again
            done = _write(target, journal, clips, done, root, resolution, workers)
            wrong = _differing(target, done, resolution, workers)
            if not wrong:
                break
            done = {number: checksum for number, checksum in done.items() if number not in wrong}
        else:
            raise BenchError(
                f"{part} returned other bytes than were written for {len(wrong)} of its {len(clips)} clips, "
                "twice. Check the disk, or point BENCH_CACHE_DIR to another one."
            )
    finally:
        os.close(target)
    os.replace(part, path)
    journal.unlink()


def _write(
    target: int,
    journal: Path,
    clips: Sequence[Clip],
    done: Mapping[int, int],
    root: Path,
    resolution: int,
    workers: int | None,
) -> dict[int, int]:
    """Pack the clips that are not `done` into the file `target`, and return the checksums of all clips by number."""
    size = int(np.prod(shape(1, resolution)))

    def write(number: int) -> tuple[int, int]:
        clip = clips[number]
        # The pack is named after the content hashes: other bytes under that name would remain forever.
        if clip.sha256 and content_hash(clip.files(root), clip.start, FRAMES) != clip.sha256:
            raise BenchError(
                f"The clip {clip.id} has changed since it was indexed ({root / clip.path}): "
                "restore the old file, or start a new run."
            )
        frames = np.ascontiguousarray(clip.read(root, resolution))
        view = memoryview(frames.reshape(-1))  # type: ignore[arg-type]
        written = 0
        while written < size:
            written += os.pwrite(target, view[written:], number * size + written)
        return number, zlib.crc32(view)

    packed = dict(done)
    with (
        closing(_PackJournal(journal, target, done)) as log,
        ThreadPoolExecutor(workers or processors()) as pool,
        task(f"packing clips at {resolution}×{resolution}", len(clips), len(done)) as progress,
    ):
        jobs = [pool.submit(write, number) for number in range(len(clips)) if number not in done]
        try:
            for job in as_completed(jobs):
                number, packed[number] = job.result()
                log.add(number, packed[number])
                progress.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for job in jobs:  # those that were packed at the same time are kept
                if not job.cancelled() and not job.exception() and job.result()[0] not in packed:
                    log.add(*job.result())
            raise
    return packed


def _differing(target: int, checksums: Mapping[int, int], resolution: int, workers: int | None) -> set[int]:
    """Numbers of the clips whose bytes in the file `target` have other checksums or are incomplete."""
    size = int(np.prod(shape(1, resolution)))

    def differs(number: int) -> bool:
        return zlib.crc32(os.pread(target, size, number * size)) != checksums[number]

    with (
        ThreadPoolExecutor(workers or processors()) as pool,
        task(f"reading clips back at {resolution}×{resolution}", len(checksums)) as progress,
    ):
        wrong = set()
        for number, is_wrong in zip(checksums, pool.map(differs, checksums), strict=True):
            wrong |= {number} if is_wrong else set()
            progress.advance()
    return wrong
