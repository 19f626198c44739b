"""The baseline that every model has to beat: the first frame, repeated."""

from __future__ import annotations

from torch import Tensor

from bench.interface import VideoModel, check_positive, check_request


class CopyFirst(VideoModel):
    """Repeats the first frame; has no weights and no training.

    Args:
        resolution: any number of pixels.
        frames: any number of frames.

    Raises:
        BenchError: a resolution or number of frames below 1.
    """

    rows = ("copy",)

    def __init__(self, resolution: int, frames: int) -> None:
        super().__init__(resolution, frames)
        check_positive("The copy baseline", resolution=resolution, frames=frames)

    def predict(self, first_frames: Tensor, row: str | None = None) -> Tensor:
        """Repeat first frames `[N, 3, H, W]` as `[N, 3, T, H, W]`."""
        check_request(self, first_frames, row)
        return first_frames.unsqueeze(2).repeat(1, 1, self.frames, 1, 1)
