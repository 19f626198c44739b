"""The same metrics from third-party packages, if installed: values as well as speed, in one run.

Each package is configured to match our definition as far as its options allow. The remaining difference is in its row,
and `docs/reference/metrics.md` explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from bench.speed.interleaved_timing import Result, TimingComparison, pair_of_clips, timed_row, weights_at_hand


def _channels_first(frames: np.ndarray) -> torch.Tensor:
    """uint8 [T, H, W, 3] → float32 [T, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def _ssim(
    what: str, other_ssim: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], repetitions: int
) -> TimingComparison:
    from bench.metrics.ssim import ssim

    prediction, real = pair_of_clips(96, 128)

    def ours() -> Result:
        return ssim(torch.from_numpy(prediction), torch.from_numpy(real)).numpy()

    def other() -> Result:
        clips = zip(np.split(prediction, 3), np.split(real, 3), strict=True)
        values = [other_ssim(_channels_first(p), _channels_first(r)) for p, r in clips]
        return torch.cat(values).double().numpy()

    return timed_row(what, "frames/s", len(real), ours, other, repetitions)


def _ssim_torchmetrics(repetitions: int) -> TimingComparison:
    """SSIM of torchmetrics, without the border, where it mirrors the frame; its own mean includes the border."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    def score(p: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        found = structural_similarity_index_measure(
            p, r, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
        )
        return torch.as_tensor(found[1])[..., 5:-5, 5:-5].mean((1, 2, 3))

    return _ssim("ssim/torchmetrics", score, repetitions)


def _ssim_piq(repetitions: int) -> TimingComparison:
    """SSIM of piq, without its default downsampling."""
    from piq import ssim

    def score(p: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(ssim(p, r, data_range=1.0, reduction="none", downsample=False))

    return _ssim("ssim/piq", score, repetitions)


def _psnr_torchmetrics(repetitions: int) -> TimingComparison:
    """PSNR of each frame."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    from bench.metrics.mse import frame_mse
    from bench.metrics.psnr import psnr_from_mse

    prediction, real = pair_of_clips(32, 128)

    def other() -> Result:
        frames = zip(_channels_first(prediction), _channels_first(real), strict=True)
        return np.array([float(peak_signal_noise_ratio(p, r, data_range=1.0)) for p, r in frames])

    def ours() -> Result:
        return psnr_from_mse(frame_mse(prediction, real))

    return timed_row("psnr/torchmetrics", "frames/s", 32, ours, other, repetitions)


def _fvd_cdfvd(repetitions: int) -> TimingComparison:
    """FVD of two sets of four clips by cd-fvd's I3D and Fréchet distance; the published weights must be available.

    Its class for whole folders divides covariances by N instead of N − 1, which would be visible with four clips.
    """
    from cdfvd.third_party.i3d.utils import frechet_distance as cdfvd_distance
    from cdfvd.third_party.i3d.utils import load_i3d_model, preprocess_i3d

    from bench.metrics.frechet import frechet_distance
    from bench.metrics.networks.i3d import PORTED_EPSILON
    from bench.metrics.networks.i3d_features import I3DFeatures
    from bench.metrics.networks.weights_catalog import find

    tensors, path = weights_at_hand("fvd"), find("fvd")
    if tensors is None:
        raise ModuleNotFoundError(
            "The published weights are not available. Get them with `bench weights fetch`.", name="cdfvd"
        )
    sides = [np.stack([pair_of_clips(16, 128, seed)[side] for seed in range(4)]) for side in (0, 1)]
    fast = I3DFeatures(tensors, device="cpu", epsilon=PORTED_EPSILON)
    i3d = load_i3d_model("cpu", str(path))

    def other() -> Result:
        with torch.no_grad():
            logits = [torch.cat([i3d(preprocess_i3d(clip[None])) for clip in side]).double() for side in sides]
        return np.array([float(cdfvd_distance(*logits))])

    def ours() -> Result:
        return np.array([frechet_distance(*(fast.features(list(side)) for side in sides))])

    return timed_row("fvd_videogpt/cd-fvd", "clips/s", 8, ours, other, repetitions)


#: Every comparison, with its usual number of repetitions.
PEERS: Mapping[str, tuple[Callable[[int], TimingComparison], int]] = {
    "ssim/torchmetrics": (_ssim_torchmetrics, 5),
    "ssim/piq": (_ssim_piq, 5),
    "psnr/torchmetrics": (_psnr_torchmetrics, 9),
    "fvd_videogpt/cd-fvd": (_fvd_cdfvd, 3),
}
