"""ColorVideoVDP, from its authors' package `cvvdp`: Mantiuk et al., "ColorVideoVDP: A visual difference predictor for
image, video and display distortions" (ACM TOG 2024).

It is a model of human vision, fitted to human judgements. It outputs just-objectionable differences (JOD): 10 for an
identical clip, and one less where 75 % of people prefer the other. The result depends on the display and the frame
rate, which are part of the protocol ID. The metric was designed for distortions of a video, not for a different
continuation of a photograph.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from bench.metrics.base import ClipMetric, Column, Direction, Frames, Unavailable
from bench.metrics.networks.feature_cache import default_device, full_precision
from bench.metrics.networks.parallel_map import one_core_each
from bench.provenance import how_to_install, package_version

PACKAGE = "cvvdp"
#: One of the package's displays: 24 inches, 1920 × 1080, 200 cd/m², viewed from twice its height.
DISPLAY = "standard_fhd"
#: Frames per second at which raters see clips by default.
RATE = 10.0
#: Frames from which on a clip gets a number, as `all` and `future` require.
STARTS = (0, 1)


class ColorVideoVDP(ClipMetric):
    """Quality in just-objectionable differences.

    Args:
        display: name of one of the package's displays.
        rate: frames per second.
        device: defaults to a CUDA GPU if there is one.
    """

    name = "cvvdp"
    label = "ColorVideoVDP"
    unit = "JOD"
    direction: ClassVar[Direction] = "higher"
    range = "at most 10 JOD"
    decimals = 2
    default = False
    basis = "settings"
    min_size = 16
    definition = (
        f"ColorVideoVDP of the scored frames, in just-objectionable differences below 10; display {DISPLAY}, "
        f"{RATE:g} frames a second; mean over clips"
    )
    columns = ("cvvdp",)

    def __init__(self, display: str = DISPLAY, rate: float = RATE, device: torch.device | str | None = None) -> None:
        self._display, self._rate = display, rate
        self._device = torch.device(device) if device is not None else default_device()
        self._model: Any = None

    def unavailable(self) -> Unavailable | None:
        """Return that the package is not installed, or None if it is."""
        if package_version(PACKAGE):
            return None
        return Unavailable(self.name, f"the package '{PACKAGE}' is not installed", how_to_install("time"))

    def weights_id(self) -> str:
        """Version, display and frame rate with a hash of them; part of the protocol ID."""
        settings = f"{PACKAGE} {package_version(PACKAGE)} {self._display} {self._rate:g} frames a second"
        return f"{settings} sha256:{hashlib.sha256(settings.encode()).hexdigest()}"

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """Column `cvvdp` [T]: JOD of the clip from that frame on, for the frames in `STARTS`; NaN for others."""
        values = np.full(len(prediction), np.nan)
        for start in STARTS:
            if start < len(prediction):
                (values[start],) = one_core_each(lambda first: self._jod(prediction[first:], real[first:]), [start])
        return {"cvvdp": values}

    def clip(self, columns: Mapping[str, Column]) -> float:
        """JOD of the clip from its first scored frame on."""
        return float(columns["cvvdp"][0])

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> None:
        """Return None: the metric applies to whole clips only."""

    def _jod(self, prediction: Frames, real: Frames) -> float:
        if self._model is None:
            compiler = logging.getLogger("torch.utils.cpp_extension")  # looks for CUDA, though nothing is compiled here
            compiler.setLevel(logging.ERROR)
            import pycvvdp

            self._model = pycvvdp.cvvdp(display_name=self._display, device=self._device, quiet=True)
        sides = (np.array(side, order="C") for side in (prediction, real))
        with torch.inference_mode(), full_precision(self._device):
            jod, _ = self._model.predict(*sides, dim_order="FHWC", frames_per_second=self._rate)
        return float(jod)
