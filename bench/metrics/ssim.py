"""SSIM: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity"
(IEEE TIP 2004), equation 13 with the constants of section III-C.

Settings: Gaussian window of 11 × 11 with σ = 1.5, K = 0.01 and 0.03, data range 1, population covariance, per RGB
channel, border of 5 px left out, mean over pixels and channels. scikit-image computes the same with
`gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from bench.errors import BenchError
from bench.metrics.base import ClipMetric, Column, Direction, Frames, UnfitError
from bench.metrics.networks.parallel_map import one_core_each
from bench.metrics.ssim_window import C1, C2, TAPS, taps

_TOGETHER = 8  # frames on one core, or on one device, at a time


def ssim(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """SSIM of each pair of frames, uint8 [N, H, W, C] on any device → float64 [N] on the same device, in [−1, 1].

    The computation uses float64 throughout and is within 1e-9 of scikit-image per frame. On the CPU, a compiled kernel
    computes it; on other devices, PyTorch does. The two agree up to rounding.

    Raises `BenchError` for frames that are not uint8 or differ in shape, `UnfitError` for those under 11 × 11.
    """
    if x.dtype != torch.uint8 or y.dtype != torch.uint8 or x.shape != y.shape or x.ndim != 4:
        raise BenchError(
            f"SSIM takes two uint8 tensors [N, H, W, C] of the same shape, not {x.dtype} {tuple(x.shape)} and "
            f"{y.dtype} {tuple(y.shape)}."
        )
    if min(x.shape[1:3]) < TAPS:
        raise UnfitError(f"SSIM needs frames of at least {TAPS} × {TAPS} pixels, not {x.shape[2]} × {x.shape[1]}.")
    pairs = list(zip(x.split(_TOGETHER), y.split(_TOGETHER), strict=True)) if len(x) else []
    parts = one_core_each(_compiled, pairs) if x.device.type == "cpu" else [by_torch(*pair) for pair in pairs]
    return torch.cat([torch.empty(0, dtype=torch.float64, device=x.device), *parts])


def _compiled(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    from bench.metrics.ssim_kernel import score_frames  # imported here because it imports Numba

    x, y = (frames.contiguous().numpy() for frames in pair)
    return torch.from_numpy(score_frames(x, y))


@torch.inference_mode()
def by_torch(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Compute the same as `ssim` with PyTorch operations alone, on any device.

    With s = x + y and d = x − y, four filtered maps are enough instead of five. If d = 0, numerator and denominator are
    the same number, so identical frames give exactly 1.
    """
    x, y = (frames.permute(0, 3, 1, 2).double() for frames in (x, y))  # [n, C, H, W]
    s, d = x + y, x - y
    maps = torch.stack([s, d, s * s, d * d]).flatten(0, 2)[:, None]  # [4nC, 1, H, W]
    line = torch.from_numpy(taps()).to(maps.device)
    filtered = F.conv2d(F.conv2d(maps, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
    mean_s, mean_d, square_s, square_d = filtered.view(4, len(x), -1)  # [n, C·H'·W']
    mean_s, mean_d = mean_s.square(), mean_d.square()
    var_s, var_d = square_s - mean_s + 2 * C2, square_d - mean_d
    mean_s = mean_s + 2 * C1
    # s² − d² = 4xy and s² + d² = 2x² + 2y²: the factor 2 on both sides cancels.
    ratio = (mean_s - mean_d) * (var_s - var_d) / ((mean_s + mean_d) * (var_s + var_d))
    return ratio.mean(1)


class SSIM(ClipMetric):
    """Structural similarity, mean over the scored frames of a clip."""

    name = "ssim"
    direction: ClassVar[Direction] = "higher"
    range = "[-1, 1]"
    min_size = TAPS
    definition = (
        "Wang et al. 2004: Gaussian 11×11, σ = 1.5, K = 0.01/0.03, population covariance, per RGB channel, "
        "border of 5 px left out; mean over frames and clips"
    )
    columns = ("ssim",)

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """SSIM of each frame, column `ssim` [T]."""
        values = ssim(torch.from_numpy(np.array(prediction, order="C")), torch.from_numpy(np.array(real, order="C")))
        return {"ssim": values.numpy()}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames."""
        return float(np.mean(columns["ssim"]))
