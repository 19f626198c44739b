"""All clips of a method as one array: its axis order, its values of black and white, and conversion to 8-bit frames.

Nothing is guessed, because a wrong guess gives numbers that look right. Ambiguous axes and floats need a statement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.data.readers.frames import Frames
from bench.errors import BenchError

#: Axes: clips, samples per clip, frames, channels, height and width. Grey arrays have no C, and most arrays no S.
LETTERS = "NSTCHW"
#: Axis orders that are recognised by their number of channels; any other order must be stated.
KNOWN = ("NTCHW", "NTHWC")
#: How far outside the stated range a value may be, as a fraction of the range. Such values are clipped and noted.
SLACK = 0.5


@dataclass(frozen=True)
class Statement:
    """What the user states about arrays.

    Attributes:
        axes: axis order, such as "NTCHW", or several comma-separated orders, of which an array uses the one with its
            number of axes; "" if the shape determines the order.
        range: values of black and white in all arrays that are not uint8; None if not stated.
    """

    axes: str = ""
    range: tuple[float, float] | None = None


def stated(axes: str = "", value_range: str = "") -> Statement:
    """Parse the values of `--axes` and `--range`.

    >>> stated("ntchw", "-1,1")
    Statement(axes='NTCHW', range=(-1.0, 1.0))

    Raises:
        BenchError: a value is not valid.
    """
    orders = [order.strip().upper() for order in axes.split(",") if order.strip()]
    possible = [sorted(LETTERS), sorted("NTCHW"), sorted("NSTHW"), sorted("NTHW")]
    if wrong := [order for order in orders if sorted(order) not in possible]:
        raise BenchError(
            f"The axes '{wrong[0]}' are not an order of N (clips), T (frames), C (channels), H and W, and S for "
            "several samples per clip: expected a text like NTCHW, NTHWC or NTHW."
        )
    if len({*map(len, orders)}) < len(orders):
        raise BenchError(
            f"The axes '{axes}' name two orders with the same number of axes: give one order for each number of axes."
        )
    order = ",".join(orders)
    if not value_range.strip():
        return Statement(order)
    try:
        low, high = (float(word) for word in value_range.split(","))
    except ValueError:
        low = high = math.nan
    return Statement(order, checked_range(low, high))


def checked_range(low: float, high: float) -> tuple[float, float]:
    """Return the values of black and white; raise a `BenchError` unless they are two numbers in ascending order."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BenchError("The range must be two numbers, the values of black and white: expected 0,1 or -1,1 or 0,255.")
    return float(low), float(high)


def axis_order(shape: tuple[int, ...], said: str, name: str) -> str:
    """The order of an array's axes.

    Args:
        shape: shape of the array.
        said: what the user stated (`Statement.axes`).
        name: name of the array, with its type and shape, for messages.

    Raises:
        BenchError: the shape fits no order, or several, which the message lists.
    """
    orders = said.split(",") if said else []
    if orders:
        order = next((order for order in orders if len(order) == len(shape)), "")
        if not order:
            raise BenchError(
                f"{name}: it has {len(shape)} axes, but none of the stated orders does ({said}). State its order "
                "too, as in --axes NTCHW,NTHW."
            )
    elif len(shape) == 5:
        order = _five(shape, name)
    elif len(shape) == 6:
        order = _six(shape, name)
    elif len(shape) == 4:
        order = "NTHW"
        if unclear := [str(place) for place in (2, 4) if shape[place - 1] in (1, 3)]:
            raise BenchError(
                f"{name}: axis {' and axis '.join(unclear)} may be frames, columns or channels. For grey clips give "
                f"the order NTHW ({_how('NTHW')}); for colour clips give an array of five axes; a single video "
                "[T, H, W, C] goes into a folder, under its clip ID."
            )
    else:
        raise BenchError(f"{name}: expected all clips as [N, T, C, H, W], [N, T, H, W, C] or [N, T, H, W].")
    sizes = dict(zip(order, shape, strict=True))
    if (channels := sizes.get("C", 1)) not in (1, 3):
        raise BenchError(f"{name}: the order {order} gives it {channels} channels; expected 3 (RGB) or 1 (grey).")
    if 0 in shape:
        raise BenchError(f"{name} is empty: there is nothing to score.")
    return order


def _five(shape: tuple[int, ...], name: str) -> str:
    fitting = [order for order in (*KNOWN, "NCTHW") if shape[order.index("C")] in (1, 3)]
    if shape[1:3] == (1, 1) and "NCTHW" in fitting:
        fitting.remove("NCTHW")  # for one grey frame, both orders are equivalent
    if len(fitting) == 1 and fitting[0] in KNOWN:
        return fitting[0]
    if not fitting:
        raise BenchError(
            f"{name}: no axis has 1 or 3 channels; expected [N, T, C, H, W] or [N, T, H, W, C] of RGB or grey frames."
        )
    orders = " or ".join(f"{order} ({_how(order)})" for order in fitting)
    raise BenchError(f"{name}: the order of its axes is not clear. State it: {orders}.")


def _six(shape: tuple[int, ...], name: str) -> str:
    fitting = [order for order in ("NSTCHW", "NSTHWC") if shape[order.index("C")] in (1, 3)]
    if len(fitting) == 1:
        return fitting[0]
    orders = " or ".join(f"{order} ({_how(order)})" for order in ("NSTCHW", "NSTHWC"))
    raise BenchError(f"{name}: the order of its axes, with samples of each clip, is not clear. State it: {orders}.")


def _how(order: str) -> str:
    return f"--axes {order}"


class ClipArray:
    """The clips of one array as 8-bit frames, converted on access.

    Args:
        array: uint8, or numbers in the stated range; `[N, T, C, H, W]`, `[N, T, H, W, C]`, `[N, T, H, W]`, or in the
            stated order, which may include an axis of samples.
        name: name of the method, for messages.
        said: what the user states.

    Raises:
        BenchError: the array does not contain videos, its axes need a statement, or its numbers have no range.
    """

    def __init__(self, array: Any, name: str, said: Statement | None = None) -> None:
        said = said or Statement()
        check_kind(array, name)
        kind = f"{name} is {array.dtype} {list(array.shape)}"
        self.name = name
        self.order = axis_order(array.shape, said.axes, kind)
        self._clips = np.moveaxis(array, self.order.index("N"), 0)
        self._axes = [self.order.replace("N", "").index(axis) for axis in "STHWC" if axis in self.order]
        self._range = said.range
        self._low, self._high, self._outside, self._values = math.inf, -math.inf, 0, 0
        if array.dtype != np.uint8 and said.range is None:
            smallest, largest = float(array.min()), float(array.max())
            raise BenchError(
                f"{kind}, with values from {smallest:.4g} to {largest:.4g}: expected uint8, or the values of black and "
                "white stated, as with --range 0,1 (from Python: value_range=(0, 1))."
            )

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def frames(self) -> int:
        """Number of frames per clip."""
        return int(self._clips.shape[1 + self.order.replace("N", "").index("T")])

    @property
    def samples(self) -> int:
        """Number of samples per clip; 0 if there is no axis of samples."""
        rest = self.order.replace("N", "")
        return int(self._clips.shape[1 + rest.index("S")]) if "S" in rest else 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        rest = self.order.replace("N", "")
        return tuple(int(self._clips.shape[1 + rest.index(axis)]) for axis in "HW")  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Frames]:
        """Yield each clip as uint8 `[T, H, W, 3]`, or `[S, T, H, W, 3]` with samples.

        Raises:
            BenchError: a value is not a number, or is far outside the range.
        """
        for number, clip in enumerate(self._clips):
            frames = np.transpose(clip, self._axes)
            frames = frames if "C" in self.order else frames[..., None]
            if frames.dtype != np.uint8:
                frames = self._eight_bits(frames, number)
            yield np.ascontiguousarray(np.broadcast_to(frames, (*frames.shape[:-1], 3)))

    def _eight_bits(self, clip: np.ndarray, number: int) -> Frames:
        assert self._range is not None
        low, high = self._range
        values = np.asarray(clip, np.float64)
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise BenchError(
                f"{self.name}: clip {number} (counted from 0) has {count} values that are NaN or infinite. "
                "Generate it again."
            )
        self._low, self._high = min(self._low, values.min()), max(self._high, values.max())
        if max(low - self._low, self._high - high) > SLACK * (high - low):
            raise BenchError(
                f"{self.name}: clip {number} (counted from 0) has values from {values.min():.4g} to "
                f"{values.max():.4g}, outside the stated range {low:g},{high:g}. State the values of black and "
                "white in this array."
            )
        self._outside += int(((values < low) | (values > high)).sum())
        self._values += values.size
        return np.floor(np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)

    def notes(self) -> list[str]:
        """Notes that must accompany scores of this array; complete after the last clip."""
        if self._range is None or not self._values:
            return []
        low, high = self._range
        notes = []
        if self._outside:
            share = 100 * self._outside / self._values
            notes.append(
                f"{share:.2g} % of the values are outside the stated range {low:g},{high:g} ({self._low:.4g} to "
                f"{self._high:.4g}) and were clipped"
            )
        if self._low >= (low + high) / 2 or self._high <= (low + high) / 2:
            notes.append(
                f"values from {self._low:.4g} to {self._high:.4g} use only one half of the stated range "
                f"{low:g},{high:g}; check that the range is right"
            )
        return notes


def check_kind(array: Any, name: str) -> None:
    """Raise a `BenchError` for anything but a NumPy array of numbers, with advice on how to convert it."""
    if isinstance(array, np.ma.MaskedArray):
        raise BenchError(
            f"{name} is a masked array, whose masked pixels have no colour. Pass array.filled(...) instead."
        )
    if isinstance(array, np.ndarray):
        if array.dtype.kind not in "uifb":
            raise BenchError(f"{name} is {array.dtype} {list(array.shape)}: expected numbers, uint8 or floats.")
        return
    kind = f"{type(array).__module__}.{type(array).__qualname__}".removeprefix("builtins.")
    advice = {
        "list": "make one with numpy.stack from clips of one size",
        "tuple": "make one with numpy.stack from clips of one size",
        "str": "read it with numpy.load",
        "torch.Tensor": "convert it with tensor.cpu().numpy()",
    }
    how = advice.get(kind, "read it with numpy.load" if hasattr(array, "__fspath__") else "")
    raise BenchError(f"{name} is a {kind}: expected a NumPy array of videos{f'; {how}' if how else ''}.")
