from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data import pack as packing
from bench.data.clips import Manifest, build_manifest
from bench.data.pack import pack, pack_path
from bench.errors import BenchError
from tests.small import make_sky, truncate


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
