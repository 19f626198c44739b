from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import packed_clips as packing
from bench.data.clips import Clip, Manifest, build_manifest
from bench.data.packed_clips import Pack, pack, pack_path
from bench.errors import BenchError
from bench.files import digest
from tests.support.processes import Forked, die_at
from tests.support.small import make_sky, truncate


@pytest.fixture
def manifest(sky: Path) -> Manifest:
    return build_manifest("sky", sky)


def test_a_pack_holds_what_reading_gives(manifest: Manifest, tmp_path: Path) -> None:
    packed = pack(manifest.clips, manifest.root, 32, tmp_path)
    assert packed.frames.shape == (6, 32, 32, 32, 3)
    for number, clip in enumerate(manifest.clips):
        assert (packed.frames[number] == clip.read(manifest.root, 32)).all()
    assert not packed.frames.flags.writeable


def test_a_pack_is_built_once_and_anew_when_the_source_changes(tmp_path: Path) -> None:
    root = make_sky(tmp_path / "sky", train=2, test=1)
    clips = build_manifest("sky", root).clips
    first = pack(clips, root, 32, tmp_path).path
    before = first.stat().st_mtime_ns
    assert pack(clips, root, 32, tmp_path).path == first
    assert first.stat().st_mtime_ns == before
    frame = next(root.rglob("frame_3.jpg"))
    frame.write_bytes(next(root.rglob("frame_9.jpg")).read_bytes())
    assert pack(build_manifest("sky", root).clips, root, 32, tmp_path).path != first


def test_a_killed_build_goes_on(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = type(manifest.clips[0]).read
    seen: list[str] = []

    def counted(clip: object, *args: object, **kwargs: object) -> np.ndarray:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(clip.id)  # type: ignore[attr-defined]
        return read(clip, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(type(manifest.clips[0]), "read", counted)
    with pytest.raises(KeyboardInterrupt):
        pack(manifest.clips, manifest.root, 32, tmp_path, workers=1)
    assert not pack_path(manifest.clips, 32, tmp_path).exists()
    again: list[str] = []
    monkeypatch.setattr(
        type(manifest.clips[0]), "read", lambda clip, *a, **k: (again.append(clip.id), read(clip, *a, **k))[1]
    )
    packed = pack(manifest.clips, manifest.root, 32, tmp_path, workers=1)
    assert sorted(seen + again) == sorted(packed.ids)
    for number, clip in enumerate(manifest.clips):
        assert (packed.frames[number] == read(clip, manifest.root, 32)).all()


@pytest.fixture
def interrupted(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Packing that stops when it reads its n-th clip; the unfinished file."""
    read = type(manifest.clips[0]).read

    def stop_at(clips: int) -> Path:
        left = iter(range(clips - 1))

        def reading(clip: Clip, *args: Any) -> np.ndarray:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return read(clip, *args)

        with monkeypatch.context() as patch:
            patch.setattr(type(manifest.clips[0]), "read", reading)
            with pytest.raises(KeyboardInterrupt):
                pack(manifest.clips, manifest.root, 32, tmp_path, workers=1)
        return pack_path(manifest.clips, 32, tmp_path).with_suffix(".part")

    return stop_at


def _assert_right(packed: Pack, manifest: Manifest) -> None:
    assert packed.ids == [clip.id for clip in manifest.clips]
    for number, clip in enumerate(manifest.clips):
        assert (packed.frames[number] == clip.read(manifest.root, 32)).all(), number
    assert [path.suffix for path in packed.path.parent.iterdir()].count(".u8") == 1
    assert not [*packed.path.parent.glob("*.part"), *packed.path.parent.glob("*.done")]


def test_a_deleted_file_is_not_taken_for_packed(
    manifest: Manifest, tmp_path: Path, interrupted: Callable[[int], Path]
) -> None:
    interrupted(5).unlink()
    part = interrupted(2)
    assert len(part.with_suffix(".done").read_text().splitlines()) == 1
    _assert_right(pack(manifest.clips, manifest.root, 32, tmp_path), manifest)


def test_clips_that_are_packed_when_another_one_fails_are_kept(
    interrupted: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_first(jobs: list[Future[tuple[int, int]]]) -> Iterator[Future[tuple[int, int]]]:
        wait(jobs)
        return reversed(jobs)

    monkeypatch.setattr(packing, "as_completed", last_first)
    assert len(interrupted(4).with_suffix(".done").read_text().splitlines()) == 3


def test_a_torn_line_of_the_journal_is_no_clip(
    manifest: Manifest, tmp_path: Path, interrupted: Callable[[int], Path]
) -> None:
    journal = interrupted(4).with_suffix(".done")
    lines = journal.read_text().splitlines(keepends=True)
    for torn in ("5", "5 ", "5 0000", "4 00000000", "nonsense\n5 1234567\n", "99 00000000\n", "\0\0\0"):
        journal.write_text("".join([*lines, torn]))
        found = packing._journalled(journal.with_suffix(".part"), journal, len(manifest.clips))
        assert sorted(found) == [0, 1, 2], torn
    _assert_right(pack(manifest.clips, manifest.root, 32, tmp_path), manifest)


@pytest.mark.parametrize("lost", ["zeros", "all"])
def test_clips_that_a_lost_power_supply_left_out_are_packed_again(
    lost: str, manifest: Manifest, tmp_path: Path, interrupted: Callable[[int], Path]
) -> None:
    part = interrupted(6)
    size, content = 32 * 32 * 32 * 3, part.read_bytes()
    part.write_bytes(content[:size] + bytes(3 * size) + content[4 * size :] if lost == "zeros" else b"")
    _assert_right(pack(manifest.clips, manifest.root, 32, tmp_path), manifest)


@pytest.mark.process
def test_a_killed_process_leaves_what_the_next_one_completes(manifest: Manifest, tmp_path: Path) -> None:
    done = Forked(tmp_path / "said", _killed, str(manifest.root), str(tmp_path)).wait()
    assert done.returncode == -signal.SIGKILL
    assert pack_path(manifest.clips, 32, tmp_path).with_suffix(".part").stat().st_size > 0
    _assert_right(pack(manifest.clips, manifest.root, 32, tmp_path), manifest)


def _killed(root: str, folder: str) -> None:
    """For a process of its own, which ends at its fifth clip."""
    manifest = build_manifest("sky", root)
    packing._PAUSE = 0.0
    die_at("bench.data.packed_clips:content_hash", 5)
    pack(manifest.clips, manifest.root, 32, Path(folder), workers=1)


def test_the_journal_lists_only_what_is_on_the_disk(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = pack_path(manifest.clips, 32, tmp_path).with_suffix(".done")
    written: list[int] = []
    synced = 0

    def sync(_: int) -> None:
        nonlocal synced
        assert len(journal.read_text().splitlines()) <= synced
        synced = len(written)

    pwrite = os.pwrite
    monkeypatch.setattr(packing, "_PAUSE", 0.0)
    monkeypatch.setattr(packing, "to_disk", sync)
    monkeypatch.setattr(packing.os, "pwrite", lambda *a: (written.append(1), pwrite(*a))[1])
    pack(manifest.clips, manifest.root, 32, tmp_path, workers=1)
    assert synced == len(written) == len(manifest.clips)


def test_a_disk_that_gives_back_other_bytes_is_named(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread
    with monkeypatch.context() as patch:
        patch.setattr(packing.os, "pread", lambda *a: pread(*a)[:-1] + b"?")
        with pytest.raises(BenchError, match=r"other bytes than were written for \d of its 6 clips, twice"):
            pack(manifest.clips, manifest.root, 32, tmp_path)
    assert not pack_path(manifest.clips, 32, tmp_path).exists()
    _assert_right(pack(manifest.clips, manifest.root, 32, tmp_path), manifest)


def test_packs_of_version_2_are_not_found(manifest: Manifest, tmp_path: Path) -> None:
    content = [[clip.id, clip.sha256] for clip in manifest.clips]
    old = digest({"version": 2, "resolution": 32, "clips": content})
    assert old[:32] not in pack_path(manifest.clips, 32, tmp_path).name


def test_two_that_want_the_same_pack_get_the_same_file(manifest: Manifest, tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(pack(manifest.clips, manifest.root, 16, tmp_path).path))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert len(set(paths)) == 1


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(BenchError, match=r"needs 589\.8 kB .* BENCH_CACHE_DIR"):
        pack(manifest.clips, manifest.root, 32, tmp_path)
    assert not list((tmp_path / "packs").glob("*.part"))


def test_a_broken_clip_is_named(tmp_path: Path) -> None:
    root = make_sky(tmp_path / "sky", train=2, test=1)
    truncate(root / "sky_train/v1/v1_1/frame_8.jpg")
    manifest = build_manifest("sky", root)
    with pytest.raises(BenchError, match=r"v1_1/frame_8\.jpg cannot be decoded"):
        pack(manifest.clips, root, 32, tmp_path)


def test_a_clip_that_changed_since_it_was_indexed_is_not_packed(tmp_path: Path) -> None:
    root = make_sky(tmp_path / "sky", train=2, test=1)
    manifest = build_manifest("sky", root)
    frame = root / "sky_train/v1/v1_1/frame_8.jpg"
    frame.write_bytes((root / "sky_train/v1/v1_1/frame_9.jpg").read_bytes())
    with pytest.raises(BenchError, match=r"v1__v1_1__000 has changed since it was indexed \(.*v1_1\)"):
        pack(manifest.clips, root, 32, tmp_path)
    unknown = [replace(clip, sha256="") for clip in manifest.clips]
    assert len(pack(unknown, root, 32, tmp_path)) == 3
