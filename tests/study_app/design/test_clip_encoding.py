"""What somebody learns of a trial who reads its bytes and decodes no pixel."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.design.catch_clips import WAYS
from study_app.store.store import Store
from tests.study_app.runfolder import FRAMES, decode, sky


def halves(message: bytes) -> tuple[bytes, bytes]:
    return message[: len(message) // 2], message[len(message) // 2 :]


def test_a_padded_clip_is_a_file_of_the_slots_length_with_the_same_pixels() -> None:
    for size in (8, 32):
        clips = sky(1, FRAMES, size), np.zeros((FRAMES, size, size, 3), np.uint8)
        real, flat = (clip_encoding.encode(clip) for clip in clips)
        message = clip_encoding.message(real, flat, 16384)
        assert len(message) == 2 * 16384
        for slot, clip in zip(halves(message), clips, strict=True):
            np.testing.assert_array_equal(decode(slot, FRAMES), clip)
            with Image.open(io.BytesIO(slot)) as picture:
                picture.verify()
        assert clip_encoding.message(real, flat, 16384) != message  # padded anew each time
        assert len(clip_encoding.message(real, b"", 16384)) == 16384


def test_what_is_no_clip_of_a_study_is_refused() -> None:
    clip = clip_encoding.encode(sky(1))
    with pytest.raises(BenchError, match="does not fit"):
        clip_encoding.message(clip, clip, 10)
    with pytest.raises(BenchError, match="not a lossless WebP"):
        clip_encoding.message(clip, clip.replace(b"VP8L", b"VP8 "), 2 * len(clip))


def stated(slot: bytes) -> int:
    """The first length that a WebP states."""
    return int.from_bytes(slot[4:8], "little")


def chunk(slot: bytes) -> int:
    """The second one."""
    return int.from_bytes(slot[16:20], "little")


def tail(slot: bytes) -> int:
    """Where the last byte is that the padding of version 0.2 could not have."""
    return int(np.flatnonzero(np.frombuffer(slot, np.uint8) < 0x80)[-1])


def zeros(slot: bytes) -> int:
    """Where the last zero is, as if padded by zeros."""
    return int(np.flatnonzero(np.frombuffer(slot, np.uint8))[-1])


def test_no_script_without_a_decoder_tells_the_clips_of_a_pair_apart(template: Path) -> None:
    study = Store(template).open()
    clips, schedule = study.clips(), study.schedule()
    kinds = {"trial": schedule.trials, "practice": schedule.practice, "catch": schedule.catch}
    assert all(kinds.values())
    assert {pair.first for pair in (*schedule.practice, *schedule.catch)} & {"real", *WAYS}
    heads = set()
    scripts: list[Callable[[bytes], int]] = [stated, chunk, tail, zeros]
    right = np.zeros(len(scripts))
    asked = 0
    for pairs in kinds.values():
        for pair in pairs:
            both = [clips[name, pair.scene].data for name in (pair.first, pair.second)]
            for _ in range(3):
                slots = halves(clip_encoding.message(*both, study.slot_bytes()))
                heads |= {slot[: clip_encoding.PICTURE] for slot in slots}
                longer = len(both[0]) > len(both[1])
                guesses = [(script(slots[0]), script(slots[1])) for script in scripts]
                right += [(a > b) == longer if a != b else 0.5 for a, b in guesses]
                asked += 1
    assert len(heads) == 1  # lengths, kinds and the picture's size: every byte before the picture
    assert asked > 300
    assert np.abs(right / asked - 0.5).max() < 0.1  # three standard deviations and more
