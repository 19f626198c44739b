"""Every fast path beside a float64 reference, over memory that holds NaN: a value that a kernel never wrote would show.

Shapes are the awkward ones: one clip, one frame, sides of 1 pixel or odd, input that is not contiguous. The same again
with two threads, whose bits are equal, and with the kernels of a processor without AVX-512.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.data.readers.video import resize
from bench.metrics.fid import InceptionFeatures
from bench.metrics.frechet import frechet_distance
from bench.metrics.lpips import frame_lpips, lpips_network
from bench.metrics.mmd import mmd_without_each, unbiased_mmd
from bench.metrics.motion import frame_change
from bench.metrics.mse import frame_mse
from bench.metrics.networks.alexnet import FastLPIPS
from bench.metrics.networks.i3d import I3D
from bench.metrics.networks.i3d_features import preprocess
from bench.metrics.networks.i3d_folded import FastI3D, _mix, _pool
from bench.metrics.networks.parallel_map import one_core_each
from bench.metrics.psnr import psnr_from_mse
from bench.metrics.ssim import by_torch, ssim
from bench.speed.metrics import random_inception
from tests.metrics.test_frechet import _by_definition
from tests.metrics.test_kvd import plain
from tests.metrics.test_ssim import _scikit_image
from tests.support.small import REPOSITORY

pytestmark = pytest.mark.heavy

CPU = torch.device("cpu")
#: Environment variables under which oneDNN, PyTorch and MKL compute as on a processor without AVX-512.
WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
Values = list[np.ndarray]


def _poison() -> None:
    """Leave NaN in the memory that is handed out next."""
    blocks = [torch.full((1 << (8 + i % 15),), float("nan")) for i in range(45)]
    arrays = [np.full(1 << (6 + i % 14), np.nan) for i in range(42)]
    del blocks, arrays


def _noise(seed: int, *shape: int) -> np.ndarray:
    """uint8 noise that is not contiguous: frames run backwards, and every other column of wider ones."""
    *before, width, channels = shape
    wide = np.random.default_rng(seed).integers(0, 256, (*before, 2 * width, channels), np.uint8)
    return wide[::-1, ..., ::2, :]


@cache
def _i3d() -> I3D:
    torch.manual_seed(0)
    network = I3D()
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bn.bias")):
            tensor.normal_(0, 0.3)
        elif name.endswith(("running_var", "bn.weight")):
            tensor.uniform_(0.5, 1.5)
    return network


def _i3d_blocks() -> Iterator[tuple[Values, Values]]:
    network, exact, fast = _i3d(), copy.deepcopy(_i3d()).double(), FastI3D(_i3d())
    for name, size in (
        ("Mixed_3b", (1, 1, 1)),
        ("Mixed_3b", (3, 5, 7)),
        ("Mixed_4f", (2, 9, 1)),
        ("Mixed_5c", (1, 7, 7)),
    ):
        channels = network.get_submodule(name).b0.conv3d.in_channels  # type: ignore[union-attr]
        x = torch.rand(1, *size, channels, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            expected = exact.get_submodule(name)(x.permute(0, 4, 1, 2, 3).double()).permute(0, 2, 3, 4, 1).numpy()

        def block(_: int, x: torch.Tensor = x, name: str = name) -> np.ndarray:
            _poison()
            with torch.inference_mode():
                return _mix(x, fast.blocks[name]).numpy()

        yield one_core_each(block, [0]), [expected]


def _pooling() -> Iterator[tuple[Values, Values]]:
    for size in ((1, 1, 1), (3, 5, 7), (4, 8, 9)):
        x = torch.rand(1, *size, 6)
        for kernel, stride in (((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((3, 3, 3), (1, 1, 1))):
            _poison()
            found = _pool(x, kernel, stride).numpy()
            starts = [range(0, side, step) for side, step in zip(size, stride, strict=True)]
            before = [
                max((len(s) - 1) * step + k - side, 0) // 2
                for s, step, k, side in zip(starts, stride, kernel, size, strict=True)
            ]
            windows = np.array(
                [
                    x[0][tuple(slice(max(s - b, 0), s - b + k) for s, b, k in zip(start, before, kernel, strict=True))]
                    .flatten(0, 2)
                    .amax(0)
                    .numpy()
                    for start in ((t, i, j) for t in starts[0] for i in starts[1] for j in starts[2])
                ]
            )
            yield [found.reshape(windows.shape)], [windows]


def _preprocessing() -> Iterator[tuple[Values, Values]]:
    for shape in ((1, 1, 1, 3), (2, 1, 33, 3), (9, 21, 35, 3), (1, 301, 5, 3)):
        clip = _noise(1, *shape)
        exact = torch.from_numpy(np.array(clip, order="C")).permute(0, 3, 1, 2).double()
        exact = F.interpolate(exact, (224, 224), mode="bilinear", align_corners=False) / 127.5 - 1

        def prepared(_: int, clip: np.ndarray = clip) -> np.ndarray:
            _poison()
            return preprocess(clip, CPU).numpy()

        yield one_core_each(prepared, [0]), [exact.permute(1, 0, 2, 3)[None].numpy()]


@cache
def _alexnet() -> tuple[Any, Any]:
    torch.manual_seed(0)
    network = lpips_network(None)
    return network, copy.deepcopy(network).double()


def _lpips() -> Iterator[tuple[Values, Values]]:
    network, exact = _alexnet()
    fast = FastLPIPS(network, CPU)
    for shape in ((1, 31, 31, 3), (3, 45, 33, 3)):
        x, y = _noise(1, *shape), _noise(2, *shape)
        inputs = (torch.from_numpy(np.array(z, order="C")).permute(0, 3, 1, 2).double() / 127.5 - 1 for z in (x, y))
        _poison()
        yield [frame_lpips(fast, x, y, CPU)], [exact(*inputs).detach().flatten().numpy()]


@cache
def _inception_reference() -> tuple[InceptionFeatures, np.ndarray, np.ndarray]:
    network, frames = random_inception().eval(), _noise(1, 1, 15, 31, 3)
    with torch.inference_mode():
        x = torch.from_numpy(np.array(frames, order="C")).permute(0, 3, 1, 2).double() / 255
        expected = copy.deepcopy(network).double()(x)[0].flatten(1).numpy()
    return InceptionFeatures(network, "cpu"), frames, expected


def _inception() -> Iterator[tuple[Values, Values]]:
    network, frames, expected = _inception_reference()
    _poison()
    yield [network.features(frames)], [expected]


def _structure() -> Iterator[tuple[Values, Values]]:
    for shape in ((1, 11, 11, 3), (1, 11, 40, 3), (9, 23, 12, 3)):
        x, y = _noise(1, *shape), _noise(2, *shape)
        y = (x // 2 + y // 2)[:, ::-1]
        expected = np.array([_scikit_image(*pair) for pair in zip(x, y, strict=True)])
        for function in (ssim, by_torch):
            _poison()
            found = function(torch.from_numpy(np.asfortranarray(x)), torch.from_numpy(np.asfortranarray(y)))
            yield [found.numpy()], [expected]


def _pixels() -> Iterator[tuple[Values, Values]]:
    for shape in ((1, 1, 1, 3), (2, 1, 7, 3), (5, 33, 1, 3), (3, 300, 301, 3)):
        x, y = _noise(1, *shape), _noise(2, *shape)
        exact_x, exact_y = x / 255, y / 255
        mse = ((exact_x - exact_y) ** 2).mean((1, 2, 3))
        change = np.abs(np.diff(exact_x, axis=0)).mean((1, 2, 3))
        _poison()
        yield [frame_mse(x, y), psnr_from_mse(frame_mse(x, y))], [mse, -10 * np.log10(mse)]
        yield [frame_change(x)[1:]], [change]


def _distances() -> Iterator[tuple[Values, Values]]:
    for x_count, y_count, dimension in ((2, 2, 1), (5, 9, 30), (60, 50, 24), (90, 41, 7)):
        x, y = (
            np.random.default_rng(n).normal(n % 3, 1, (n, 2 * dimension))[::-1, ::2] for n in (x_count, y_count + 1)
        )
        y = y[1:]
        _poison()
        yield [np.array(frechet_distance(x, y))], [np.array(_by_definition(x, y))]
        _poison()
        yield [np.array(unbiased_mmd(x, y))], [np.array(plain(x, y))]
    groups = np.arange(60) % 3
    x, y = (np.random.default_rng(seed).normal(seed, 1, (60, 8)).astype(np.float32)[:, ::2] for seed in (0, 1))
    _poison()
    left = [np.array(plain(x[groups != g].astype(float), y[groups != g].astype(float))) for g in range(3)]
    yield [mmd_without_each(x, y, groups)], [np.array(left)]


def _triangles(size: int, target: int) -> np.ndarray:
    """Weights [target, size] of antialiased bilinear resizing."""
    scale = max(size / target, 1)
    centres = (np.arange(target)[:, None] + 0.5) * size / target
    weights = np.clip(1 - np.abs(np.arange(size) + 0.5 - centres) / scale, 0, None)
    return weights / weights.sum(1, keepdims=True)


def _resizing() -> Iterator[tuple[Values, Values]]:
    for shape, target in (((1, 1, 1, 3), 8), ((2, 31, 47, 3), 16), ((1, 5, 64, 3), 33)):
        frames = _noise(1, *shape)
        expected = np.einsum("yh,thwc,xw->tyxc", _triangles(shape[1], target), frames, _triangles(shape[2], target))
        _poison()
        yield [np.maximum(np.abs(resize(frames, target) - expected) - 1, 0)], [np.zeros_like(expected)]


#: Fast paths, and how far each may be from its reference, as a share of the reference's largest value.
PATHS: dict[str, tuple[Callable[[], Iterator[tuple[Values, Values]]], float]] = {
    "i3d": (_i3d_blocks, 2e-6),
    "pooling": (_pooling, 0.0),
    "preprocessing": (_preprocessing, 1e-5),
    "lpips": (_lpips, 2e-6),
    "inception": (_inception, 1e-5),
    "ssim": (_structure, 1e-11),
    "pixels": (_pixels, 1e-13),
    "distances": (_distances, 1e-7),
    "resize": (_resizing, 0.0),  # beyond one level, as Pillow rounds after each of two passes
}


def check(name: str) -> list[bytes]:
    """Compare a fast path with its reference; the bytes of what it gave."""
    torch.manual_seed(0)
    compute, bound = PATHS[name]
    inputs = []
    for found, expected in compute():
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape, name
            assert np.isfinite(one).all(), name
            difference = np.abs(one - other).max(initial=0) / (np.abs(other).max(initial=0) or 1)
            assert difference <= bound, f"{name} {one.shape}: {difference:.2g} from float64"
            inputs.append(np.ascontiguousarray(one).tobytes())
    assert inputs
    return inputs


@pytest.mark.parametrize("name", PATHS)
def test_a_fast_path_is_its_float64_reference_with_any_number_of_threads(name: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = check(name)
        torch.set_num_threads(2)
        assert check(name) == alone
    finally:
        torch.set_num_threads(before)


@pytest.mark.process
@pytest.mark.skipif("AVX" not in torch.backends.cpu.get_cpu_capability(), reason="the processor has no AVX2")
def test_a_fast_path_is_its_float64_reference_without_avx512(tmp_path: Path) -> None:
    script = (
        "import torch; from tests.metrics.test_exactness import PATHS, check; [check(name) for name in PATHS]; "
        "print(torch.backends.cpu.get_cpu_capability())"
    )
    env = {**os.environ, **WITHOUT_AVX512, "ONEDNN_VERBOSE": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "AVX2"
    assert "cpu,isa:Intel AVX2" in done.stdout
    assert "avx2" in done.stdout
    assert "avx512" not in done.stdout
