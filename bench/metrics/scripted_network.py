"""Features from a TorchScript program whose input the user describes: axes, size and values.

Nothing about the input is guessed. `NCHW,224,imagenet` is a batch of frames, each resized to 224 × 224 and normalised
as for ImageNet networks. `NCTHW,224,-1..1` and `NTCHW,…` are whole clips, with channels or time first. Frames are
resized bilinearly with antialiasing; `own` leaves them at the scored size. The program must return [N, D].

A TorchScript file is a program: run only files that you trust.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bench.errors import BenchError
from bench.files import sha256 as file_hash
from bench.metrics.base import Frames, RowKey
from bench.metrics.feature_sources import Features, FeatureSource
from bench.metrics.networks.feature_cache import (
    FeatureCache,
    cache_dir,
    default_device,
    full_precision,
    through_cache,
)
from bench.metrics.networks.parallel_map import one_core_each

#: Incremented whenever anything between the stored frames and the program's input changes.
PREPROCESSING = 1
#: Mean and standard deviation by channel for normalising values in [0, 1]; (0, 1) and the like define a range.
RANGES: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "0..1": ((0.0,) * 3, (1.0,) * 3),
    "-1..1": ((0.5,) * 3, (0.5,) * 3),
    "0..255": ((0.0,) * 3, (1 / 255,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
#: Axes of the input, made from those of frames [T, C, H, W].
LAYOUTS = ("NCHW", "NCTHW", "NTCHW")
_FRAMES = 16  # frames per batch


@dataclass(frozen=True)
class NetworkInput:
    """The input that a program expects.

    Attributes:
        layout: one of `LAYOUTS`; "NCHW" makes every frame a sample, the others every clip.
        size: side in pixels; 0 for the size at which clips are scored.
        values: one of `RANGES`.
    """

    layout: str
    size: int
    values: str

    @staticmethod
    def parse(text: str) -> NetworkInput:
        """Read `LAYOUT,SIZE,VALUES`.

        >>> NetworkInput.parse("NCTHW,224,-1..1")
        NetworkInput(layout='NCTHW', size=224, values='-1..1')
        """
        layout, size, values = [*(part.strip() for part in text.split(",")), "", "", ""][:3]
        fits = layout in LAYOUTS and values in RANGES and re.fullmatch(r"own|[1-9]\d{0,4}", size)
        if not fits or text.count(",") != 2:
            raise BenchError(
                f"'{text}' does not describe a network's input: expected LAYOUT,SIZE,VALUES, with one of "
                f"{', '.join(LAYOUTS)}, a side in pixels or 'own', and one of {', '.join(RANGES)}; as in "
                "NCHW,224,imagenet."
            )
        return NetworkInput(layout, 0 if size == "own" else int(size), values)

    def __str__(self) -> str:
        return f"{self.layout},{self.size or 'own'},{self.values}"

    def batches(self, clip: Frames, device: torch.device) -> list[torch.Tensor]:
        """The inputs made from a clip uint8 [T, H, W, 3], as float32 in this layout."""
        frames = torch.from_numpy(np.array(clip, order="C")).to(device).permute(0, 3, 1, 2)  # [T, 3, H, W]
        x = frames.to(torch.float32, memory_format=torch.contiguous_format) / 255
        if self.size:
            size = (self.size, self.size)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
        mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in RANGES[self.values])
        x = (x - mean) / deviation
        if self.layout == "NCHW":
            return list(x.split(_FRAMES))
        return [(x.permute(1, 0, 2, 3) if self.layout == "NCTHW" else x)[None].contiguous()]


class ScriptedNetwork(FeatureSource):
    """Features from a TorchScript program.

    Args:
        name: name of the features.
        path: file of the program.
        takes: the program's input.
        device: defaults to a CUDA GPU if there is one.
        cache: folder of cached features; defaults to the user's.

    Raises:
        BenchError: the file is missing, or is not a TorchScript program.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        takes: NetworkInput,
        device: torch.device | str | None = None,
        cache: Path | None = None,
    ) -> None:
        if not path.is_file():
            raise BenchError(f"There is no TorchScript program {path}: give a file that torch.jit.save wrote.")
        self.name, self.argument = name, f"{name}=NETWORK.pt:{takes}"
        self._path, self._takes = path, takes
        self._device = torch.device(device) if device is not None else default_device()
        self._hash = file_hash(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TorchScript is deprecated, but it is what people publish
                self._program: Any = torch.jit.load(path, map_location=self._device).eval()
        except (RuntimeError, ValueError) as error:
            detail = " ".join(str(error).split())[:200]
            raise BenchError(
                f"{path} is not a TorchScript program ({detail}): give a file that torch.jit.save wrote, not weights."
            ) from error
        self._cache = FeatureCache(cache or cache_dir(), self.identity(), self._device)

    def identity(self) -> str:
        """The input, with a hash of the input and the program together."""
        whole = sha256(f"{self._hash} {self._takes} preprocessing {PREPROCESSING}".encode()).hexdigest()
        return f"TorchScript, input {self._takes}, sha256:{whole}"

    def of(self, row: RowKey | None, ids: Sequence[str], clips: Sequence[Frames]) -> list[Features]:
        """Features of each clip, cached on disk: [T, D] for a program of frames, [1, D] for one of clips."""
        return through_cache(clips, self._cache, self._compute)

    def _compute(self, clips: list[Frames]) -> list[Features]:
        # One clip at a time, entirely on one core: neither other clips nor the number of cores can change its features.
        if self._device.type == "cpu":
            return one_core_each(self._clip, clips)
        return [self._clip(clip) for clip in clips]

    def _clip(self, clip: Frames) -> Features:
        found = []
        with torch.inference_mode(), full_precision(self._device):
            for batch in self._takes.batches(clip, self._device):
                try:
                    features = self._program(batch)
                except RuntimeError as error:
                    lines = [line for line in str(error).splitlines() if line.strip()]
                    raise BenchError(
                        f"The program {self._path} failed on an input {list(batch.shape)}, {self._takes}: "
                        f"{lines[-1].strip() if lines else error}. Describe another input, or export the program again."
                    ) from error
                self._check(features, batch)
                found.append(np.asarray(features.float().cpu().numpy(), np.float32))
        return np.concatenate(found)

    def _check(self, features: Any, batch: torch.Tensor) -> None:
        if not isinstance(features, torch.Tensor) or features.ndim != 2 or len(features) != len(batch):
            got = list(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            raise BenchError(
                f"The program {self._path} returns {got} for an input {list(batch.shape)}: expected a tensor "
                f"[{len(batch)}, D], one vector for each {'frame' if self._takes.layout == 'NCHW' else 'clip'}."
            )
        if not torch.isfinite(features).all():
            raise BenchError(
                f"The program {self._path} returns infinite values or NaN: check the input that you described."
            )
