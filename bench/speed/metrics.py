"""Speed of the metrics compared with the packages they are checked against: same data, same cores, same run.

Both sides take turns and the median of their times counts, because a machine's speed changes within a run. Each row
includes the largest difference between the two results: a ratio of two things that disagree would mean nothing.
Networks use their published weights if those are available. Comparisons with third-party packages of the same metrics
are in `bench.speed.other_packages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np
import torch

from bench.speed.interleaved_timing import Result, TimingComparison, pair_of_clips, timed_row, weights_at_hand
from bench.speed.other_packages import PEERS


def _ssim(repetitions: int) -> TimingComparison:
    """Compare with a loop over scikit-image."""
    from skimage.metrics import structural_similarity

    from bench.metrics.ssim import ssim

    prediction, real = pair_of_clips(
        384, 128
    )  # as long as twelve clips, so that one call outlasts brief slowdowns of the machine

    def other() -> Result:
        values = [
            structural_similarity(
                p / 255,
                r / 255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=-1,
            )
            for p, r in zip(prediction, real, strict=True)
        ]
        return np.asarray(values, np.float64)

    def ours() -> Result:
        clips = zip(np.split(prediction, 12), np.split(real, 12), strict=True)
        return np.concatenate([ssim(torch.from_numpy(p), torch.from_numpy(r)).numpy() for p, r in clips])

    return timed_row("ssim", "frames/s", len(real), ours, other, repetitions)


def _mse(repetitions: int) -> TimingComparison:
    """Compare with NumPy on values in [0, 1]."""
    from bench.metrics.mse import frame_mse

    prediction, real = pair_of_clips(32, 128)

    def other() -> Result:
        return np.array([np.mean((p / 255 - r / 255) ** 2) for p, r in zip(prediction, real, strict=True)])

    return timed_row("mse", "frames/s", 32, lambda: frame_mse(prediction, real), other, repetitions)


def _psnr(repetitions: int) -> TimingComparison:
    """Compare with a loop over scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio

    from bench.metrics.mse import frame_mse
    from bench.metrics.psnr import psnr_from_mse

    prediction, real = pair_of_clips(32, 128)

    def other() -> Result:
        pairs = zip(prediction, real, strict=True)
        return np.array([peak_signal_noise_ratio(r / 255, p / 255, data_range=1) for p, r in pairs], np.float64)

    return timed_row("psnr", "frames/s", 32, lambda: psnr_from_mse(frame_mse(prediction, real)), other, repetitions)


def plain_i3d() -> Any:
    """The I3D network layer by layer, with published weights or with random ones whose activations stay in range."""
    from bench.metrics.networks.i3d import I3D, load_i3d

    if tensors := weights_at_hand("fvd"):
        return load_i3d(tensors)
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    network = I3D()
    for parameter in network.parameters():
        if parameter.ndim == 5:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    torch.random.set_rng_state(torch_state)
    return network


def _fvd(repetitions: int) -> TimingComparison:
    """Compare the logits of 32-frame clips, which FVD and KVD use, with the same network layer by layer."""
    from bench.metrics.networks.i3d_features import I3DFeatures, preprocess

    clips = [pair_of_clips(32, 128, seed)[0] for seed in range(2)]
    plain = plain_i3d()
    fast = I3DFeatures(plain.state_dict(), device="cpu")

    def other() -> Result:
        with torch.inference_mode():
            logits = [plain(preprocess(clip, torch.device("cpu"))) for clip in clips]
        return np.asarray(torch.cat(logits).numpy(), np.float64)

    return timed_row("fvd", "clips/s", len(clips), lambda: fast.features(clips).astype(np.float64), other, repetitions)


def random_inception() -> torch.nn.Module:
    """The network of `pytorch_fid` with random weights; nothing is downloaded."""
    from pytorch_fid import inception as package
    from torchvision.models import Inception3

    torch_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(package, "load_state_dict_from_url", return_value={}))
        stack.enter_context(mock.patch.object(Inception3, "load_state_dict"))
        network: torch.nn.Module = package.InceptionV3()
    for parameter in network.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    torch.random.set_rng_state(torch_state)
    return network.eval()


def _fid(repetitions: int) -> TimingComparison:
    """Compare features of 32 frames with the package's network on one batch of them, as in its own loop."""
    from bench.metrics.fid import InceptionFeatures

    frames, _ = pair_of_clips(32, 128)
    inception = random_inception()
    ours = InceptionFeatures(random_inception(), device="cpu")

    def other() -> Result:
        with torch.no_grad():
            x = torch.stack([torch.from_numpy(frame).permute(2, 0, 1).float() / 255 for frame in frames])
            return np.asarray(inception(x)[0].flatten(1).numpy(), np.float64)

    return timed_row(
        "fid", "frames/s", len(frames), lambda: ours.features(frames).astype(np.float64), other, repetitions
    )


def _lpips(repetitions: int) -> TimingComparison:
    """Compare with a loop over the package, one frame at a time."""
    from bench.metrics.lpips import frame_lpips, lpips_network
    from bench.metrics.networks.alexnet import FastLPIPS

    prediction, real = pair_of_clips(64, 128)  # two clips, so that both cores have equal work
    network = lpips_network(weights_at_hand("lpips"))
    fast = FastLPIPS(network, torch.device("cpu"))

    def other() -> Result:
        values = []
        with torch.no_grad():
            for p, r in zip(prediction, real, strict=True):
                x, y = (torch.from_numpy(f).permute(2, 0, 1)[None].float() / 127.5 - 1 for f in (p, r))
                values.append(network(x, y).item())
        return np.asarray(values, np.float64)

    def ours() -> Result:
        return frame_lpips(fast, prediction, real, torch.device("cpu"))

    return timed_row("lpips", "frames/s", len(real), ours, other, repetitions)


def _frechet(repetitions: int) -> TimingComparison:
    """Compare the distance of two sets of 128 FVD features with covariances and SciPy's `sqrtm`."""
    from scipy.linalg import sqrtm

    from bench.metrics.frechet import frechet_distance

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(128, 400)), rng.normal(size=(128, 400)) * 1.1 + 0.1

    def other() -> Result:
        cov_x, cov_y = np.cov(x.T), np.cov(y.T)
        root: Any = sqrtm(cov_x @ cov_y)
        mixed = np.trace(np.real(root))
        return np.array([np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(cov_x) + np.trace(cov_y) - 2 * mixed])

    return timed_row("frechet", "distances/s", 1, lambda: np.array([frechet_distance(x, y)]), other, repetitions)


#: Every comparison, with the number of repetitions that gives a steady median in a few seconds.
COMPARISONS: Mapping[str, tuple[Callable[[int], TimingComparison], int]] = {
    "ssim": (_ssim, 5),
    "fvd": (_fvd, 3),
    "mse": (_mse, 9),
    "psnr": (_psnr, 9),
    "fid": (_fid, 3),
    "lpips": (_lpips, 5),
    "frechet": (_frechet, 5),
}


def measure(only: tuple[str, ...] = (), repetitions: int | None = None) -> list[TimingComparison]:
    """Rows `what, ours, other, unit, ratio, max_abs_difference`; a ratio above 1 means that our side is faster.

    `only` selects rows of `COMPARISONS` and of `other_packages.PEERS`; by default, all. If a package is not installed,
    its row is left out.
    """
    everything = {**COMPARISONS, **PEERS}
    rows = []
    for name in only or tuple(everything):
        comparison, usual = everything[name]
        try:
            rows.append(comparison(repetitions or usual))
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0].startswith("bench"):
                raise
    return rows
