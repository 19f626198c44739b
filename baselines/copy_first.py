"""The baseline that every model has to beat: the first frame, repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from bench.interface import VideoModel


class CopyFirst(VideoModel):
    """Repeats the first frame; has no weights and needs no training.

    Args:
        resolution: any number of pixels.
        frames: any number of frames.

    Raises:
        BenchError: a resolution or number of frames below 1.
    """

    rows = ("copy",)
    titles: ClassVar = {"copy": "Copy of first frame"}
    colours: ClassVar = {"copy": "#7f7f7f"}

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """First frames `[N, 3, H, W]`, repeated: `[N, 3, T, H, W]`."""
        return dict.fromkeys(rows, first_frames.unsqueeze(2).repeat(1, 1, self.frames, 1, 1))
