"""I3D's logits of clips, which FVD and KVD compare.

As in Unterthiner et al., "Towards accurate generative models of video" (2018), the features are the 400 numbers before
softmax, mean over time. Clips are resized to 224 × 224 (bilinear, corners not aligned, no antialiasing) and scaled to
[-1, 1]. Two exports of the same network are in use, and both are accepted; the protocol names the one used.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.metrics.base import Frames, UnfitError
from bench.metrics.networks import weights_catalog as weight_files
from bench.metrics.networks.feature_cache import (
    FeatureCache,
    Features,
    default_device,
    full_precision,
    through_cache,
)
from bench.metrics.networks.i3d import CLASSES, EPSILON, MIN_FRAMES, SIZE, load_i3d
from bench.metrics.networks.i3d_folded import FastI3D
from bench.metrics.networks.parallel_map import one_core_each

#: Incremented whenever anything between the stored frames and the network's input changes.
PREPROCESSING = 1


def preprocess(clip: Frames, device: torch.device) -> torch.Tensor:
    """uint8 [T, H, W, 3] → float32 [1, 3, T, 224, 224] in [-1, 1]."""
    frames = torch.from_numpy(np.array(clip, order="C")).to(device).permute(0, 3, 1, 2)  # [T, 3, H, W]
    x = frames.to(torch.float32, memory_format=torch.contiguous_format)
    x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=False)
    return (x / 127.5 - 1).permute(1, 0, 2, 3)[None]


def _is_torchscript(path: Path) -> bool:
    """Whether the file is a TorchScript program: a zip archive that contains code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


class I3DFeatures:
    """The feature network of FVD and KVD with given weights.

    Args:
        weights: a file of tensors, the TorchScript export of StyleGAN-V, or tensors by name.
        device: defaults to a CUDA GPU if there is one.
        dtype: a type other than float32 is faster on some GPUs, but changes the second or third digit of a logit.
        cache: folder of cached features; None caches none.
        epsilon: batch-norm epsilon; the TorchScript export has the original's built in.

    Raises:
        BenchError: the file is missing, damaged, or contains another network; a TorchScript export with another
            epsilon.
    """

    def __init__(
        self,
        weights: Path | str | Mapping[str, torch.Tensor],
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        cache: Path | None = None,
        epsilon: float = EPSILON,
    ) -> None:
        self.device = torch.device(device) if device is not None else default_device()
        self._program: Any = None
        self._network: FastI3D | None = None
        if isinstance(weights, Mapping):
            self.identity = "tensors in memory"
            cache = None  # nothing identifies them
            self._network = FastI3D(load_i3d(weights, epsilon), self.device, dtype)
        else:
            path = Path(weights)
            if not path.is_file():
                raise BenchError(
                    f"The weights file {path} does not exist. Get it with `{weight_files.command('fvd')}`."
                )
            if _is_torchscript(path):
                if epsilon != EPSILON:
                    raise BenchError(
                        f"{path} has a fixed batch-norm epsilon of {EPSILON:g}, so only `fvd` can use it. Use "
                        "other weights for this metric."
                    )
                self.identity = f"{weight_files.identity('fvd-styleganv', path)} (TorchScript export of StyleGAN-V)"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)  # deprecated, but it is what was published
                    self._program = torch.jit.load(path, map_location=self.device).eval()
            else:
                self.identity = weight_files.identity("fvd", path)
                self._network = FastI3D(load_i3d(weight_files.load_tensors(path), epsilon), self.device, dtype)
        if dtype != torch.float32:
            self.identity += f" {dtype}"
        self.key = f"i3d epsilon {epsilon:g} preprocessing {PREPROCESSING} {self.identity}"
        # On a CPU, an earlier release rounded features differently: one set of clips must not mix both kinds.
        rounding = f"{self.key}, in tiles" if self.device.type == "cpu" else self.key
        self._cache = FeatureCache(cache, rounding, self.device) if cache else None

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Network input [1, 3, T, 224, 224] in [-1, 1] → float32 [1, 400]."""
        with torch.inference_mode(), full_precision(self.device):
            if self._network is not None:
                return self._network(x)
            logits: torch.Tensor = self._program(x.to(self.device), rescale=False, resize=False, return_features=True)
            return logits

    def _clip(self, clip: Frames) -> Features:
        """uint8 [T, H, W, 3] → float32 [1, 400]."""
        if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3:
            raise BenchError(f"I3D takes uint8 clips [T, H, W, 3]; this one is {clip.dtype} {clip.shape}.")
        if len(clip) < MIN_FRAMES:
            raise UnfitError(f"I3D needs clips of at least {MIN_FRAMES} frames; this one has {len(clip)}.")
        with torch.inference_mode():
            if self._program is not None:  # the program resizes and scales
                x = torch.from_numpy(np.array(clip, order="C")).to(self.device, torch.float32)
                with full_precision(self.device):
                    logits = self._program(x.permute(3, 0, 1, 2)[None], rescale=True, resize=True, return_features=True)
            else:
                logits = self.logits(preprocess(clip, self.device))
        return np.asarray(logits.float().cpu().numpy(), np.float32).reshape(1, CLASSES)

    def _compute(self, clips: list[Frames]) -> list[Features]:
        # One clip at a time, entirely on one core: neither other clips nor the number of cores can change its features.
        if self.device.type == "cpu":
            return one_core_each(self._clip, clips)
        return [self._clip(clip) for clip in clips]

    def each(self, clips: Sequence[Frames]) -> list[Features]:
        """Features of each clip uint8 [T, H, W, 3], [1, 400] each, from the cache if available."""
        return through_cache(clips, self._cache, self._compute)

    def features(self, videos: NDArray[np.uint8] | Sequence[Frames]) -> Features:
        """Videos uint8 [N, T, H, W, 3], or a sequence of clips that may differ in size → float32 [N, 400].

        Clips are read a few at a time, so a memory-mapped array may be far larger than memory.
        """
        clips = self.each(videos)  # type: ignore[arg-type]  # an array is a sequence of clips
        return np.concatenate(clips) if clips else np.empty((0, CLASSES), np.float32)
