"""SSIM: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity"
(IEEE TIP 2004), equation 13 with the constants of section III-C.

Gaussian window of 11 × 11 with σ = 1.5, K = 0.01 and 0.03, data range 1, population covariance, per RGB channel, the
border of 5 px left out, mean over pixels and channels: what scikit-image computes with `gaussian_weights=True,
sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch

from bench.errors import BenchError
from bench.metrics.base import ClipMetric, Column, Direction, Frames
from bench.metrics.threads import one_core_each

TAPS = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2  # the arithmetic stays in 8-bit units, where sums and squares of pixels are exact
C2 = (0.03 * 255) ** 2
# Sizes of one band block: large enough for a matrix product, small enough to skip most of the zeros of the band.
_ROWS, _COLUMNS = 16, 32
_CHUNK_BYTES = 6 << 20  # small enough for caches, large enough that threads seldom wait for the interpreter


@lru_cache(maxsize=32)
def _band(outputs: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The Gaussian as a band matrix [outputs, outputs + 10]: row i holds the 11 taps from column i on."""
    offsets = torch.arange(TAPS, dtype=torch.float64) - TAPS // 2
    taps = torch.exp(-0.5 * (offsets / SIGMA) ** 2)
    taps /= taps.sum()
    band = torch.zeros(outputs, outputs + TAPS - 1, dtype=torch.float64)
    for row in range(outputs):
        band[row, row : row + TAPS] = taps
    return band.to(dtype=dtype, device=device)


def _blocks(outputs: int, size: int) -> tuple[int, int]:
    """Number and size of equal blocks that hold `outputs`, and may hold a little more."""
    count = -(-outputs // size)
    return count, -(-outputs // (8 * count)) * 8


class _Scorer:
    """SSIM of `count` pairs of frames [H, W, C] at a time, in memory that the next chunk uses again.

    Fresh memory for every intermediate map would cost as much time as the arithmetic, and so would cutting the same
    views out of it for every chunk: they are made once.
    """

    def __init__(self, count: int, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> None:
        height, width, channels = shape
        rows, columns = height - TAPS + 1, width - TAPS + 1
        self.bytes = torch.empty(2, height, count, channels, width, dtype=torch.uint8, device=device)
        frame, lines = count * channels * width, 4 * count * channels
        down_blocks, down_size = _blocks(rows, _ROWS)
        across_blocks, across_size = _blocks(columns, _COLUMNS)
        padded_rows, padded = down_blocks * down_size, across_blocks * across_size
        # Two buffers are enough, and stay in the cache: each stage reads one and writes the other. They begin as zeros
        # because what is read past the end of the maps meets a zero of the band, and must be finite for that.
        line = 4 * frame
        here = torch.zeros(max((padded_rows + 10) * line, rows * lines * padded), dtype=dtype, device=device)
        there = here.new_zeros(max(padded_rows * line + padded + 10, 2 * height * frame, rows * lines * padded))

        def view(buffer: torch.Tensor, *shape: int) -> torch.Tensor:
            return buffer[: math.prod(shape)].view(shape)

        self.frames = view(there, 2, height, count, channels, width)
        self.few = self.frames[:, ::16]
        self.x, self.y = self.frames.unbind()
        self.centred, self.squares = view(here, height, 2, 2, count, channels, width).unbind(1)
        self.s, self.d = self.centred.unbind(1)
        self.means, self.variances = view(here, rows, 2, 2, count, channels, padded).unbind(1)
        self.mean_s, self.mean_d = self.means.unbind(1)
        self.var_s, self.var_d = self.variances.unbind(1)
        self.ratio, self.contrast = view(there, 2, rows, count, channels, padded).unbind()
        self.valid = self.ratio[..., :columns]
        # The Gaussian window: one batched product over blocks of rows, from `here` to `there`, and one over blocks of
        # columns back again. A block of the band is all that differs from zero, and the same for every block.
        band = _band(down_size, dtype, device)
        self.down = (
            band.expand(down_blocks, -1, -1),
            here.as_strided((down_blocks, down_size + TAPS - 1, line), (down_size * line, line, 1)),
            view(there, down_blocks, down_size, line),
        )
        band = _band(across_size, dtype, device).T.contiguous()
        self.across = (
            there.as_strided((across_blocks, rows * lines, across_size + TAPS - 1), (across_size, width, 1)),
            band.expand(across_blocks, -1, -1),
            here.as_strided((across_blocks, rows * lines, across_size), (across_size, padded, 1)),
        )

    def score(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """SSIM of each pair, uint8 [count, H, W, C] each → float64 [count].

        With s = x + y and d = x − y, four filtered maps are enough instead of five, and d = 0 makes numerator and
        denominator the same number, so that identical frames give exactly 1. Variances are E[s²] − E[s]², which
        cancels badly where a frame is bright and flat: x and y are therefore centred per frame and channel, by whole
        numbers, so that nothing is rounded before the filter.
        """
        for source, target in zip((x, y), self.bytes, strict=True):
            # Frames go between rows and columns, so that both filter passes run over contiguous memory.
            target.copy_(source.permute(1, 0, 3, 2))  # [H, n, C, W]
        self.frames.copy_(self.bytes)
        centres = self.few.mean((1, 4), keepdim=True).floor_()  # [2, 1, n, C, 1]
        self.frames.sub_(centres)
        torch.add(self.x, self.y, out=self.s)
        torch.sub(self.x, self.y, out=self.d)
        torch.mul(self.centred, self.centred, out=self.squares)
        for left, right, result in (self.down, self.across):
            torch.bmm(left, right, out=result)
        self.variances.addcmul_(self.means, self.means, value=-1)
        centre_x, centre_y = centres
        self.mean_s.add_(centre_x + centre_y)
        self.mean_d.add_(centre_x - centre_y)
        self.means.square_()
        self.mean_s.add_(2 * C1)
        self.var_s.add_(2 * C2)
        # s² − d² = 4xy and s² + d² = 2x² + 2y²: the factor 2 on both sides cancels.
        torch.sub(self.mean_s, self.mean_d, out=self.ratio)
        torch.sub(self.var_s, self.var_d, out=self.contrast)
        self.ratio.mul_(self.contrast)
        self.ratio.div_(self.mean_s.add_(self.mean_d).mul_(self.var_s.add_(self.var_d)))  # [rows, n, C, columns]
        return self.valid.sum(-1).double().sum((0, 2)) / (self.valid.numel() // len(x))


_cache = threading.local()


def _scorer(*key: Any) -> _Scorer:
    """The scorer for `key`: the last one of this thread where it fits."""
    if getattr(_cache, "key", None) != key:
        _cache.key, _cache.scorer = key, _Scorer(*key)
    scorer: _Scorer = _cache.scorer
    return scorer


def ssim(x: torch.Tensor, y: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """SSIM of each pair of frames, uint8 [N, H, W, C] on any device → float64 [N] on the same device, in [−1, 1].

    `dtype` is the type of the filtered maps. float32, the default on the CPU, agrees with scikit-image within 5e-6 a
    frame, float64 within 1e-9. Elsewhere float64 is the default, because a GPU may round float32 products to TF32.

    Frames are worked on in chunks whose size depends on the frames' size only.

    Raises `BenchError` for frames that are not uint8, differ in shape or are smaller than 11 × 11.
    """
    if x.dtype != torch.uint8 or y.dtype != torch.uint8 or x.shape != y.shape or x.ndim != 4:
        raise BenchError(
            "SSIM takes two uint8 tensors [N, H, W, C] of one shape; "
            f"these are {x.dtype} {tuple(x.shape)} and {y.dtype} {tuple(y.shape)}."
        )
    if min(x.shape[1:3]) < TAPS:
        raise BenchError(
            f"SSIM needs frames of at least {TAPS} × {TAPS} pixels; these are {x.shape[2]} × {x.shape[1]}."
        )
    if dtype is None:
        dtype = torch.float32 if x.device.type == "cpu" else torch.float64
    on_cpu = x.device.type == "cpu"
    frame_bytes = 4 * math.prod(x.shape[1:]) * dtype.itemsize
    step = max(1, _CHUNK_BYTES // frame_bytes) if on_cpu else len(x)

    @torch.inference_mode()
    def score(start: int) -> torch.Tensor:
        few_x, few_y = x[start : start + step], y[start : start + step]
        return _scorer(len(few_x), few_x.shape[1:], dtype, x.device).score(few_x, few_y)

    starts = range(0, len(x), max(1, step))
    parts = one_core_each(score, starts) if on_cpu else [score(start) for start in starts]
    return torch.cat([torch.empty(0, dtype=torch.float64, device=x.device), *parts])


class SSIM(ClipMetric):
    """Structural similarity, mean over the scored frames of a clip."""

    name = "ssim"
    direction: ClassVar[Direction] = "higher"
    range = "[-1, 1]"
    definition = (
        "Wang et al. 2004: Gaussian 11×11, σ = 1.5, K = 0.01/0.03, population covariance, per RGB channel, "
        "border of 5 px left out; mean over frames and clips"
    )
    columns = ("ssim",)

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """SSIM of each frame, column `ssim` [T]."""
        values = ssim(torch.from_numpy(np.ascontiguousarray(prediction)), torch.from_numpy(np.ascontiguousarray(real)))
        return {"ssim": values.numpy()}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames."""
        return float(np.mean(columns["ssim"]))
