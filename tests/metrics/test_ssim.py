from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from bench.errors import BenchError
from bench.metrics.ssim import SSIM, by_torch, ssim
from tests.support.small import REPOSITORY

SIZES = ((64, 64), (128, 128), (97, 113), (11, 11), (12, 75))


def _uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def _pairs(height: int, width: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Frames on which an SSIM of little precision goes wrong."""
    rng = np.random.default_rng(height * width)
    shape = (height, width, 3)
    y, x = np.mgrid[:height, :width]
    noise = rng.integers(0, 256, shape, dtype=np.uint8)
    ramp = np.stack([x * 255 / width, y * 255 / height, (x + y) * 127 / width], -1)
    half = np.repeat(np.where(x < width // 2, 0.0, 255.0)[..., None], 3, -1)
    return {
        "random": (noise, rng.integers(0, 256, shape, dtype=np.uint8)),
        "noisy copy": (noise, _uint8(noise + rng.normal(0, 9, shape))),
        "constant": (np.full(shape, 255, np.uint8), np.full(shape, 250, np.uint8)),
        "constant and random": (np.full(shape, 200, np.uint8), noise),
        "dark constants": (np.full(shape, 0, np.uint8), np.full(shape, 3, np.uint8)),
        "identical": (noise, noise),
        "saturated": (_uint8(noise * 3.0 - 255), _uint8(noise * 3.0 - 200)),
        "saturated ramp": (_uint8(ramp * 3 - 255), _uint8(ramp * 3 - 200)),
        "bright and flat": (_uint8(250 + rng.normal(0, 2, shape)), _uint8(250 + rng.normal(0, 2, shape))),
        "black and white": (_uint8(half), _uint8(half * 0.7 + 30)),
        "black and white, noisy": (
            _uint8(half * 0.9 + 12 + rng.normal(0, 2, shape)),
            _uint8(half * 0.8 + 20 + rng.normal(0, 2, shape)),
        ),
        "ramp": (_uint8(ramp), _uint8(ramp + rng.normal(0, 2, shape))),
    }


def _scikit_image(x: np.ndarray, y: np.ndarray) -> float:
    return float(
        structural_similarity(
            x / 255,
            y / 255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
    )


def _ssim(x: np.ndarray, y: np.ndarray, function: Callable[..., torch.Tensor] = ssim) -> np.ndarray:
    return function(*(torch.from_numpy(np.ascontiguousarray(frames)) for frames in (x, y))).numpy()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_scikit_image_gives_the_same(height: int, width: int) -> None:
    pairs = _pairs(height, width)
    x, y = (np.stack([pair[side] for pair in pairs.values()]) for side in (0, 1))
    expected = np.array([_scikit_image(*pair) for pair in pairs.values()])
    for function in (ssim, by_torch):
        found = _ssim(x, y, function)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=str(list(pairs)))


def test_scikit_image_gives_the_same_on_photographs(photographs: np.ndarray) -> None:
    x, y = photographs[:-1], photographs[1:]
    expected = np.array([_scikit_image(*pair) for pair in zip(x, y, strict=True)])
    assert 0 < expected.min() < expected.max() < 1
    for function in (ssim, by_torch):
        np.testing.assert_allclose(_ssim(x, y, function), expected, rtol=0, atol=1e-9)


def test_identical_frames_give_exactly_one() -> None:
    for x, _ in _pairs(64, 61).values():
        assert _ssim(x[None], x[None])[0] == _ssim(x[None], x[None], by_torch)[0] == 1.0


def test_pytorch_gives_what_the_compiled_kernel_gives() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2, 11, 30, 41, 3), dtype=np.uint8)
    np.testing.assert_allclose(_ssim(x, y, by_torch), _ssim(x, y), rtol=0, atol=1e-12)
    assert len(_ssim(x[:0], y[:0])) == 0


@pytest.mark.process
def test_values_come_from_an_installation_that_cannot_be_written_to_and_without_a_home(tmp_path: Path) -> None:
    # Numba looks for a folder to keep compiled code in beside the source, and then below the user's home.
    for source in ("ssim_kernel.py", "ssim_window.py", "numba_compile.py"):
        shutil.copy(REPOSITORY / "bench" / "metrics" / source, tmp_path)
    (tmp_path / "__pycache__").write_text("a file, where a folder is due")
    text = (tmp_path / "ssim_kernel.py").read_text().replace("from bench.metrics.", "from ")
    (tmp_path / "ssim_kernel.py").write_text(text)
    script = """import numpy as np, ssim_kernel
x = np.arange(2 * 12 * 13 * 3, dtype=np.uint8).reshape(2, 12, 13, 3)
print(ssim_kernel.score_frames._cache.cache_path, *ssim_kernel.score_frames(x, 255 - x))"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env={**clean, "HOME": "/proc/none"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place, *values = done.stdout.split()
    assert place == "None"  # kept nowhere
    x = np.arange(2 * 12 * 13 * 3, dtype=np.uint8).reshape(2, 12, 13, 3)
    np.testing.assert_array_equal(np.array(values, float), _ssim(x, 255 - x))


def test_no_bit_depends_on_batch_or_threads() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2, 21, 45, 64, 3), dtype=np.uint8)
    together = _ssim(x, y)
    alone = np.concatenate([_ssim(x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(together, alone)
    threads = torch.get_num_threads()
    try:
        for other in (1, 3):
            torch.set_num_threads(other)
            np.testing.assert_array_equal(together, _ssim(x, y))
    finally:
        torch.set_num_threads(threads)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(11, 40), st.integers(11, 40))
def test_symmetric_bounded_and_blind_to_mirroring(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (2, 2, height, width, 3), dtype=np.uint8)
    values = _ssim(x, y)
    assert (np.abs(values) <= 1).all()
    np.testing.assert_allclose(values, _ssim(y, x), atol=1e-6)
    np.testing.assert_allclose(values, _ssim(x[:, ::-1], y[:, ::-1]), atol=1e-6)
    np.testing.assert_allclose(values, _ssim(x.transpose(0, 2, 1, 3), y.transpose(0, 2, 1, 3)), atol=1e-6)


def test_more_distortion_gives_less() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(60, 196, (1, 64, 64, 3), dtype=np.uint8)
    noise = rng.normal(0, 1, real.shape)
    values = [_ssim(_uint8(real + amount * noise), real)[0] for amount in (0, 4, 12, 30, 60)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] - 0.1


def test_channels_are_scored_apart_and_weigh_the_same() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2, 1, 30, 30, 3), dtype=np.uint8)
    each = [_ssim(x[..., [c]], y[..., [c]])[0] for c in range(3)]
    np.testing.assert_allclose(_ssim(x, y)[0], np.mean(each), atol=1e-6)


def test_the_metric_is_the_mean_over_scored_frames() -> None:
    metric = SSIM()
    rng = np.random.default_rng(0)
    prediction, real = rng.integers(0, 256, (2, 4, 16, 16, 3), dtype=np.uint8)
    columns = metric.compute(prediction, real)
    assert tuple(columns) == metric.columns
    assert columns["ssim"].dtype == np.float64
    assert metric.clip({"ssim": columns["ssim"][1:]}) == pytest.approx(columns["ssim"][1:].mean())


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.zeros(1, 10, 20, 3, dtype=torch.uint8), torch.zeros(1, 10, 20, 3, dtype=torch.uint8), "11 × 11"),
        (torch.zeros(1, 20, 20, 3), torch.zeros(1, 20, 20, 3), "uint8"),
        (torch.zeros(1, 20, 20, 3, dtype=torch.uint8), torch.zeros(1, 20, 21, 3, dtype=torch.uint8), "the same shape"),
    ],
)
def test_unusable_frames_are_refused(x: torch.Tensor, y: torch.Tensor, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        ssim(x, y)
