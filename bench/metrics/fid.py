"""Fréchet inception distance: Heusel et al., "GANs trained by a two time-scale update rule" (NeurIPS 2017).

The features of every scored frame are the 2048 numbers of the last pooling of the Inception network of 2015, as
`pytorch_fid` builds it (with the quirks of TensorFlow's graph). Frames are passed in [0, 1] at their own size; the
network resizes them to 299 × 299.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from bench.errors import BenchError
from bench.metrics.base import Direction, Frames, SetMetric
from bench.metrics.frechet import frechet_distance
from bench.metrics.networks import weights_catalog as weight_files
from bench.metrics.networks.feature_cache import (
    FeatureCache,
    Features,
    cache_dir,
    default_device,
    full_precision,
    through_cache,
)
from bench.metrics.networks.parallel_map import one_core_each
from bench.metrics.pretrained_metric import PretrainedMetric

DIMENSION = 2048
#: Incremented whenever anything between the stored frames and the network's input changes.
PREPROCESSING = 1
_BATCH = 8  # frames per batch on one core
_building = threading.Lock()


def inception(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """The network of `pytorch_fid` with the tensors of its weights file.

    The package would fetch that file itself, into its own folder and without a time limit, so its loader is replaced
    while the network is built. Raises `BenchError` if the tensors do not belong to the network.
    """
    from pytorch_fid import inception as package

    with _building:
        loader = package.load_state_dict_from_url
        package.load_state_dict_from_url = lambda *_, **__: dict(tensors)
        try:
            network: torch.nn.Module = package.InceptionV3([package.InceptionV3.BLOCK_INDEX_BY_DIM[DIMENSION]])
        except RuntimeError as error:
            detail = " ".join(str(error).split())[:300]
            raise BenchError(f"These are not weights of the Inception network of pytorch_fid: {detail}") from error
        finally:
            package.load_state_dict_from_url = loader
    return network.eval()


def accelerate(network: torch.nn.Module) -> torch.nn.Module:
    """Fold batch normalisation into the convolutions and put channels last, in place; the function stays the same."""
    for module in network.modules():
        conv, norm = getattr(module, "conv", None), getattr(module, "bn", None)
        if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
            parts: Any = module
            parts.conv = torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm).requires_grad_(False)
            parts.bn = torch.nn.Identity()
    return network.to(memory_format=torch.channels_last)


class InceptionFeatures:
    """Inception features of frames, from one network that is loaded once.

    Args:
        network: as built by `inception`.
        device: defaults to a CUDA GPU if there is one.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device | str | None = None) -> None:
        self.device = torch.device(device) if device is not None else default_device()
        self._network = accelerate(network).to(self.device)

    def _batch(self, frames: Frames) -> Features:
        x = torch.from_numpy(np.array(frames, order="C")).to(self.device).permute(0, 3, 1, 2)  # channels last already
        with torch.inference_mode(), full_precision(self.device):
            pooled = self._network(x.float() / 255)[0]  # [n, 2048, 1, 1]
        return np.asarray(pooled.flatten(1).cpu().numpy(), np.float32)

    def features(self, frames: Frames) -> Features:
        """Frames uint8 [T, H, W, 3] → float32 [T, 2048]."""
        parts = [frames[start : start + _BATCH] for start in range(0, len(frames), _BATCH)]
        computed = one_core_each(self._batch, parts) if self.device.type == "cpu" else list(map(self._batch, parts))
        return np.concatenate(computed) if computed else np.empty((0, DIMENSION), np.float32)


class FID(PretrainedMetric, SetMetric):
    """Fréchet distance of Inception features of frames."""

    name = "fid"
    weights = ("fid",)
    direction: ClassVar[Direction] = "lower"
    range = "≥ 0"
    decimals = 2
    dimension = DIMENSION
    per_frame = True
    definition = "Fréchet distance of Inception-2015 pool3 features (pytorch_fid) over all scored frames"

    def __init__(
        self,
        weights: Path | str | None = None,
        device: torch.device | str | None = None,
        cache: Path | None = None,
    ) -> None:
        """`weights` and `cache` default to those in the user's folders."""
        self._weights_path, self._device, self._cache = weights, device, cache
        self._loaded: InceptionFeatures | None = None

    def network(self) -> InceptionFeatures:
        """The feature network, loaded once."""
        if self._loaded is None:
            self._loaded = InceptionFeatures(inception(weight_files.load_tensors(self.weights_path())), self._device)
        return self._loaded

    def features(self, clips: Sequence[Frames]) -> list[Features]:
        """Features of the frames of each clip, [T, 2048] each; leave out those of frames that are not scored."""
        identity = f"inception preprocessing {PREPROCESSING} {self.weights_id()}"
        device = torch.device(self._device) if self._device is not None else default_device()
        cache = FeatureCache(self._cache or cache_dir(), identity, device)

        def compute(few: list[Frames]) -> list[Features]:
            return [self.network().features(clip) for clip in few]

        return through_cache(clips, cache, compute)

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Fréchet distance of the features of all frames of two sets of clips."""
        return frechet_distance(predicted, real)
