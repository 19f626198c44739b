from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.batches import clip_numbers
from bench.data.clips import Clip, Manifest, build_manifest, sample
from bench.data.packed_clips import pack, pack_path
from bench.speed.data import make_jpegs, measure_data
from tests.support.processes import Forked

pytestmark = pytest.mark.heavy


def test_packed_and_read_clips_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = measure_data(clips=2, resolution=32, repetitions=1)
    assert row["max_abs_difference"] == 0
    assert row["unit"] == "clips/s"
    assert row["ours"] > 0
    assert row["ratio"] == pytest.approx(row["ours"] / row["other"])


def test_the_jpegs_are_of_the_datasets_size(tmp_path: Path) -> None:
    (clip,) = make_jpegs(tmp_path, 1)
    frames = clip.read(tmp_path)
    assert frames.shape == (32, 360, 640, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 5  # it moves


#: As many as Sky Scene's training set has.
MANY = 35_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [f"{number:02d}_frame" for number in range(32)]
    clips = tuple(
        Clip(
            id=f"long_video_{n // 36:04d}__short_{n // 12:05d}__{n % 12:03d}",
            video=f"long_video_{n // 36:04d}",
            split="train",
            path=f"sky_train/long_video_{n // 36:04d}/short_{n // 12:05d}",
            start=n % 12 * 32,
            names="/".join(f"{name}{n % 12 * 32 + t:06d}.jpg" for t, name in enumerate(names)),
            sha256=f"{n:064x}",
        )
        for n in range(MANY)
    )
    path = tmp_path_factory.mktemp("many") / "clips.jsonl"
    Manifest("sky", Path("/data"), clips).save(path)
    return path


def test_the_index_of_35000_clips_stays_small(many: Path) -> None:
    tracemalloc.start()
    manifest = Manifest.load(many)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    chosen = sample(manifest.split("train"), 1000)
    path = pack_path(chosen, 64, Path("cache"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(manifest.clips) == MANY
    assert len(chosen) == 1000
    assert path.name.endswith("-64px.u8")
    # About 700 bytes of names a clip, and no object for each of a million frames (those would be 100 MB and more).
    assert kept < 60e6
    assert peak - kept < 30e6


def test_sampling_from_35000_clips_takes_the_same_memory_at_every_step() -> None:
    peaks = []
    for step in (0, 1, 2_000, 1_000_000):
        tracemalloc.start()
        numbers, flips = clip_numbers(MANY, 16, seed=3, step=step)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(set(numbers.tolist())) == 16
        assert flips.shape == (16,)
    assert max(peaks) < 2e6  # a permutation, 8 bytes a clip, and what makes it


def pack_and_count(root: Path, folder: Path, name: str, other: str) -> None:
    """Pack a dataset at the moment at which another process does, and write down what was read."""
    read, seen = Clip.read, []

    def counted(clip: Clip, *arguments: Any, **options: Any) -> Any:
        seen.append(clip.id)
        return read(clip, *arguments, **options)

    Clip.read = counted  # type: ignore[method-assign]
    manifest = build_manifest("sky", root)
    (folder / f"{name}.ready").touch()
    while not (folder / f"{other}.ready").exists():
        time.sleep(0.01)
    packed = pack(manifest.clips, root, 32, folder / "cache")
    result = {"path": str(packed.path), "read": seen, "sum": int(packed.frames.sum())}
    (folder / f"{name}.json").write_text(json.dumps(result))


@pytest.mark.process
def test_of_two_processes_that_want_one_pack_one_builds_it(sky: Path, tmp_path: Path) -> None:
    names = ("one", "two")
    started = [
        Forked(tmp_path / f"{name} said", pack_and_count, sky, tmp_path, name, other)
        for name, other in (names, names[::-1])
    ]
    assert [process.wait().returncode for process in started] == [0, 0]
    results = [json.loads((tmp_path / f"{name}.json").read_text()) for name in names]
    clips = build_manifest("sky", sky).clips
    assert sorted(results[0]["read"] + results[1]["read"]) == sorted(clip.id for clip in clips)  # each clip once
    assert results[0]["path"] == results[1]["path"]
    assert results[0]["sum"] == results[1]["sum"] > 0
    assert [path.suffix for path in (tmp_path / "cache").rglob("*.u8")] == [".u8"]
    assert not list(tmp_path.rglob("*.part"))
