"""LPIPS: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (CVPR 2018).

This is version 0.1 with the AlexNet trunk, from the authors' package `lpips`, with frames in [-1, 1]. The package ships
the linear heads. The trunk is torchvision's and is loaded from the weights folder, so nothing opens a socket.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from bench.errors import BenchError
from bench.metrics.base import ClipMetric, Column, Direction, Frames, UnfitError
from bench.metrics.networks import weights_catalog as weight_files
from bench.metrics.networks.alexnet import FastLPIPS
from bench.metrics.networks.feature_cache import default_device, full_precision
from bench.metrics.networks.parallel_map import one_core_each
from bench.metrics.pretrained_metric import PretrainedMetric

MIN_SIZE = 31  # pixels; below this, nothing is left after the trunk's pooling layers
_BATCH = 16  # frames per batch on one core


def lpips_network(trunk: Mapping[str, torch.Tensor] | None) -> Any:
    """The package's network with the trunk's tensors, keyed by torchvision's names (`features.0.weight` …).

    None leaves the trunk random, for tests and timing.
    Raises `BenchError` if tensors are missing or have other shapes.
    """
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package uses an outdated torchvision interface
        network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    if trunk is not None:
        slices = {
            f"{name}.{layer}.{kind}": f"features.{layer}.{kind}"
            for name, module in network.net.named_children()
            for layer, _ in module.named_children()
            for kind in ("weight", "bias")
            if f"{name}.{layer}.{kind}" in network.net.state_dict()
        }
        try:
            network.net.load_state_dict({own_name: trunk[trunk_name] for own_name, trunk_name in slices.items()})
        except (KeyError, RuntimeError) as error:
            detail = " ".join(str(error).split())[:300]
            raise BenchError(f"These are not weights of torchvision's AlexNet: {detail}") from error
    return network.eval().requires_grad_(False)


def frame_lpips(network: Any, prediction: Frames, real: Frames, device: torch.device) -> Column:
    """LPIPS of each pair of frames, uint8 [T, H, W, 3] each → float64 [T].

    `network` is the package's network or `FastLPIPS`; they agree within 1e-6. Raises `UnfitError` for small frames.
    """
    if min(prediction.shape[1:3]) < MIN_SIZE:
        raise UnfitError(f"LPIPS needs frames of at least {MIN_SIZE} × {MIN_SIZE}, not {prediction.shape[1:3]}.")

    def score(start: int) -> Column:
        with torch.inference_mode(), full_precision(device):
            x, y = (
                torch.from_numpy(np.array(frames[start : start + _BATCH], order="C")).to(device).permute(0, 3, 1, 2)
                for frames in (prediction, real)
            )
            values = network(x.float() / 127.5 - 1, y.float() / 127.5 - 1)
        return np.asarray(values.flatten().cpu().numpy(), np.float64)

    starts = range(0, len(prediction), _BATCH)
    parts = one_core_each(score, starts) if device.type == "cpu" else list(map(score, starts))
    return np.concatenate(parts) if parts else np.empty(0)


class LPIPS(PretrainedMetric, ClipMetric):
    """Learned perceptual distance, mean over the scored frames of a clip."""

    name = "lpips"
    weights = ("lpips",)
    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    definition = "LPIPS 0.1 with AlexNet, frames in [-1, 1]; mean over frames and clips"
    columns = ("lpips",)
    min_size = MIN_SIZE

    def __init__(self, weights: Path | str | None = None, device: torch.device | str | None = None) -> None:
        """`weights` are those of torchvision's AlexNet and default to the file in the weights folder."""
        self._weights_path = weights
        self._device = torch.device(device) if device is not None else default_device()
        self._network: Any = None

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """LPIPS of each frame, column `lpips` [T]."""
        return {"lpips": self.of_frames(prediction, real)}

    def of_frames(self, x: Frames, y: Frames) -> Column:
        """LPIPS of pairs of frames, uint8 [T, H, W, 3] each → float64 [T]."""
        if self._network is None:
            package = lpips_network(weight_files.load_tensors(self.weights_path()))
            self._network = FastLPIPS(package, self._device)
        return frame_lpips(self._network, x, y, self._device)

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Mean over the scored frames."""
        return float(np.mean(columns["lpips"]))
