from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench.data.batches import to_tensor
from bench.engine import input_stream
from bench.engine.input_stream import SLOTS, InputRing, on_device

CPU = torch.device("cpu")


def frames(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (2, 4, 6, 5, 3), np.uint8) for _ in range(count)]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_batches_arrive_in_order_and_with_the_same_bytes(count: int, ahead: bool) -> None:
    sent = frames(count)
    arrived = list(on_device(iter(sent), CPU, ahead=ahead))  # all kept, so a buffer that is used again would show
    assert len(arrived) == count
    for values, batch in zip(arrived, sent, strict=True):
        assert torch.equal(values, to_tensor(batch, CPU))
        assert values.stride() == to_tensor(batch, CPU).stride()


def test_the_next_batch_starts_before_the_current_one_is_handed_out() -> None:
    read: list[int] = []

    def reading() -> Iterator[np.ndarray]:
        for number, batch in enumerate(frames(3)):
            read.append(number)
            yield batch

    arriving = on_device(reading(), CPU, ahead=True)
    next(arriving)
    assert read == [0, 1]
    assert len(list(arriving)) == 2


def test_a_batch_that_is_not_contiguous_arrives() -> None:
    mirrored = frames(1)[0][:, :, :, ::-1]
    (values,) = on_device(iter([mirrored]), CPU, ahead=True)
    assert torch.equal(values, to_tensor(mirrored, CPU))


def test_a_buffer_waits_until_it_was_copied_and_a_stream_until_its_batch_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a stand-in for a GPU that writes down who waits for whom."""
    ring, seen = InputRing(CPU), []

    class Event:
        def __init__(self, number: int) -> None:
            self.number = number

        def synchronize(self) -> None:
            seen.append(f"buffer waits for {self.number}")

    class Values:
        def record_stream(self, stream: object) -> None:
            seen.append("kept for the stream")

    def send(buffer: torch.Tensor) -> input_stream.Transfer:
        values: Any = Values()
        seen.append(f"send {(number := len([one for one in seen if one.startswith('send')]))}")
        return input_stream.Transfer(values, Event(number))

    stream = SimpleNamespace(wait_event=lambda event: seen.append(f"stream waits for {event.number}"))
    monkeypatch.setattr(ring, "_send", send)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    transfers = [ring.start(batch) for batch in frames(SLOTS + 1)]
    assert seen == ["send 0", "send 1", "buffer waits for 0", "send 2"]
    seen.clear()
    ring.arrived(transfers[1])
    assert seen == ["stream waits for 1", "kept for the stream"]
