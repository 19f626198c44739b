from __future__ import annotations

import gc
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.metrics.networks.feature_cache import CPU, FeatureCache, arithmetic, through_cache
from tests.support.processes import Forked


def _clips(count: int) -> list[np.ndarray]:
    return [np.full((1, 2, 2, 3), number, np.uint8) for number in range(count)]


def _counted(width: int, clips: list[np.ndarray]) -> list[np.ndarray]:
    return [np.full((1, width), clip.max(), np.float32) for clip in clips]


def _never(clips: list[np.ndarray]) -> list[np.ndarray]:
    raise AssertionError(f"{len(clips)} clips are computed again")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _read_many(folder: str) -> None:
    """For a process of its own: the features of more clips than it may open files, small and large ones."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    for width in (400, 2048 * 32):
        cache = FeatureCache(Path(folder), f"{width} wide")
        first = through_cache(_clips(150), cache, partial(_counted, width))
        again = through_cache(_clips(150), cache, _never)
        for number, (one, other) in enumerate(zip(first, again, strict=True)):
            assert (one == number).all()
            assert (other == number).all()
            assert other.shape == (1, width)


@pytest.mark.process
def test_more_clips_than_a_process_may_open_files_are_read(tmp_path: Path) -> None:
    done = Forked(tmp_path / "said", _read_many, str(tmp_path / "cache")).wait()
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("width", [400, 2048 * 32])
def test_kept_features_hold_no_file_open_and_large_ones_no_memory(width: int, tmp_path: Path) -> None:
    cache, clips = FeatureCache(tmp_path, "x"), _clips(20)
    gc.collect()  # files of earlier tests are not closed meanwhile
    before = _descriptors()
    found = through_cache(clips, cache, partial(_counted, width))
    assert _descriptors() == before
    maps = Path("/proc/self/maps").read_text()
    assert sum(str(tmp_path) in line for line in maps.splitlines()) == (20 if width > 400 else 0)
    assert not any(features.flags.writeable for features in found)
    assert [features.max() for features in found] == list(range(20))


def test_features_of_another_arithmetic_are_computed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clip, seen = _clips(1)[0], set()

    def path() -> Path:
        return FeatureCache(tmp_path, "x").path(clip)

    seen.add(path())
    assert path() in seen
    for change in (
        lambda: monkeypatch.setattr(torch, "__version__", "1.0"),
        lambda: monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "NONE"),
        lambda: monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "sse41"),
        lambda: monkeypatch.setenv("MKL_CBWR", "COMPATIBLE"),
        lambda: monkeypatch.setattr("bench.metrics.networks.feature_cache._maker", lambda: "another"),
    ):
        change()
        assert path() not in seen
        seen.add(path())
    assert "ONEDNN_MAX_CPU_ISA=SSE41" in arithmetic(CPU)


def test_features_of_a_gpu_are_not_those_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    assert "cudnn 91002 NVIDIA H200" in arithmetic(torch.device("cuda"))
    assert "cuda" not in arithmetic(CPU).split()
