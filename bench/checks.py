"""Checks of what a model is given, one plain sentence each, shared by every model package."""

from __future__ import annotations

from torch import Tensor

from bench.errors import BenchError, did_you_mean
from bench.interface import VideoModel


def check_positive(model: str, **numbers: int) -> None:
    """Raise a `BenchError` unless every number (a width, a size) is a whole number of at least 1."""
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BenchError(f"{model} needs a whole number of at least 1 as {name}, not {value!r}.")


def check_resolution(model: str, resolution: int, known: tuple[int, ...]) -> None:
    """Raise a `BenchError` unless the network exists for `resolution` pixels."""
    if resolution not in known:
        sizes = " or ".join(str(size) for size in known)
        raise BenchError(f"{model} exists for {sizes} pixels, not {resolution!r}; choose one of its resolutions.")


def check_frames(model: str, frames: int, wanted: int) -> None:
    """Raise a `BenchError` unless videos have exactly the number of frames that the network's layers give."""
    if frames != wanted:
        raise BenchError(f"{model} makes videos of {wanted} frames, not {frames!r}; set frames to {wanted}.")


def check_request(model: VideoModel, first_frames: Tensor, row: str | None) -> str:
    """Check the arguments of `VideoModel.predict` and return the row that is meant.

    Raises:
        BenchError: the model has no such row; the frames are not `[N, 3, H, W]` of its resolution; or it is
            in training mode, where batch statistics would let the clips of a batch change each other.
    """
    name = type(model).__name__
    row = model.rows[-1] if row is None else row
    if row not in model.rows:
        raise BenchError(f"{name} has no result row '{row}'.{did_you_mean(row, model.rows)}")
    size = model.resolution
    if first_frames.ndim != 4 or first_frames.shape[1:] != (3, size, size):
        raise BenchError(
            f"{name} continues first frames of shape [N, 3, {size}, {size}], "
            f"not {list(first_frames.shape)}; resize them."
        )
    if model.training:
        raise BenchError(f"{name} is in training mode, where it cannot predict; call .eval() on it first.")
    return row
