from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.clips import build_manifest
from bench.data.dataset import Dataset
from bench.data.synthetic import generate as painting
from bench.errors import BenchError


@pytest.mark.process
def test_the_real_readers_read_the_synthetic_scenes(tmp_path: Path) -> None:
    for scene in ("sky", "beach"):
        painting.make(scene, tmp_path / scene, train_videos=2, test_videos=1, clips_per_video=2)
        manifest = build_manifest(scene, tmp_path / scene)
        assert [len(manifest.split(s)) for s in ("train", "val", "test")] == [2, 2, 2]
        assert manifest.clips[0].read(manifest.root).shape == (32, 64, 64, 3)


def test_scenes_are_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    made: list[Path] = []
    monkeypatch.setitem(painting.SCENES, "sky", lambda root, **_: (made.append(root), root.mkdir(parents=True)))
    assert Dataset("sky").folder(64) == Dataset("sky").folder(32) == made[0]
    assert Dataset("sky").folder(128) == made[1]
    assert len(made) == 2


def test_what_has_no_scenes_is_named() -> None:
    with pytest.raises(BenchError, match="has no synthetic version"):
        Dataset("folder").folder(64)
    with pytest.raises(BenchError, match="Did you mean 'beach'"):
        painting.make("beech", Path("x"))


def test_synthetic_scenes_are_called_so() -> None:
    assert Dataset("sky").title == "synthetic-sky"
    assert Dataset("sky", "/data/sky").title == "sky"
