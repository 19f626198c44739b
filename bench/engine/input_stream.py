"""Transfer of training clips to the device: one batch after another, or the next one while a step computes.

Copying from ordinary memory makes a GPU wait. Copies from pinned memory run in parallel with its computation, on a
separate stream, and so does the conversion from bytes to numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import to_tensor, to_values

#: Batches in transfer at a time.
SLOTS = 2


def on_device(batches: Iterator[np.ndarray], device: torch.device, *, ahead: bool) -> Iterator[Tensor]:
    """Transfer batches of bytes `[N, T, H, W, 3]` to a device as numbers `[N, 3, T, H, W]` in [-1, 1].

    Args:
        batches: batches of one shape.
        device: target device; a CPU has no streams, but the same numbers pass through the same ring of buffers.
        ahead: start the transfer of the next batch before yielding the current one.
    """
    if not ahead:
        for frames in batches:
            yield to_tensor(frames, device)
        return
    ring, under_way = InputRing(device), None
    for frames in batches:
        started = ring.start(frames)
        if under_way is not None:
            yield ring.arrived(under_way)
        under_way = started
    if under_way is not None:
        yield ring.arrived(under_way)


@dataclass(frozen=True)
class Transfer:
    """A batch in transfer.

    Attributes:
        values: `[N, 3, T, H, W]`, complete when `done`.
        done: the event that signals completion; None on a CPU, where the batch is complete at once.
    """

    values: Tensor
    done: Any


class InputRing:
    """Buffers in pinned memory, used in rotation, and the stream on which they are copied."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._buffers: list[Tensor] = []
        self._last: list[Transfer | None] = [None] * SLOTS
        self._count = 0

    def start(self, frames: np.ndarray) -> Transfer:
        """Start the transfer of bytes `[N, T, H, W, 3]` to the device."""
        slot, source = self._count % SLOTS, torch.from_numpy(np.ascontiguousarray(frames))
        self._count += 1
        if len(self._buffers) <= slot:
            self._buffers.append(torch.empty(source.shape, dtype=source.dtype, pin_memory=self._stream is not None))
        before = self._last[slot]
        if before is not None and before.done is not None:
            before.done.synchronize()  # the buffer may be read until then
        self._buffers[slot].copy_(source)
        self._last[slot] = transfer = self._send(self._buffers[slot])
        return transfer

    def _send(self, buffer: Tensor) -> Transfer:
        if self._stream is None:
            return Transfer(to_values(buffer), None)
        with torch.cuda.stream(self._stream):
            values = to_values(buffer.to(self._device, non_blocking=True))
            done = torch.cuda.Event()
            done.record(self._stream)
        return Transfer(values, done)

    def arrived(self, transfer: Transfer) -> Tensor:
        """The numbers of a batch; the current stream waits for them if they are not complete."""
        if transfer.done is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(transfer.done)
            transfer.values.record_stream(current)  # or the memory could be reused while it is still in use
        return transfer.values
