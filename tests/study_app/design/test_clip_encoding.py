"""What somebody learns of a trial who reads its bytes and decodes no pixel."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.design.catch_clips import WAYS, alter
from study_app.store.store import Store
from tests.study_app.runfolder import FRAMES, decode, decode_message, sky


def test_a_message_is_a_file_of_its_length_with_the_same_pixels() -> None:
    for size in (8, 32):
        clips = sky(1, FRAMES, size), np.zeros((FRAMES, size, size, 3), np.uint8)
        real, flat = (clip_encoding.encode(clip) for clip in clips)
        message = clip_encoding.message(real, flat, 16384)
        assert len(message) == 2 * 16384
        for shown, clip in zip(decode_message(message, FRAMES), clips, strict=True):
            np.testing.assert_array_equal(shown, clip)
        with Image.open(io.BytesIO(message)) as picture:
            picture.verify()
        assert clip_encoding.message(real, flat, 16384) != message  # padded anew each time
        alone = clip_encoding.message(real, b"", 16384)
        assert len(alone) == 16384
        np.testing.assert_array_equal(decode(alone, FRAMES), clips[0])


def test_a_pair_whose_picture_is_too_long_travels_as_two_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = sky(1, FRAMES), np.random.default_rng(1).integers(0, 256, (FRAMES, 32, 32, 3), dtype=np.uint8)
    left, right = (clip_encoding.encode(clip) for clip in clips)
    room = clip_encoding.slot_bytes(max(len(left), len(right)))
    asked = []

    def long(picture: np.ndarray, **effort: int) -> bytes:
        asked.append(effort)
        return bytes(2 * room + 1)

    with monkeypatch.context() as patch:
        patch.setattr(clip_encoding, "_webp", long)
        both = clip_encoding.message(left, right, room)
    assert asked == list(clip_encoding.EFFORTS)
    assert len(both) == 2 * room
    for slot, clip in zip((both[:room], both[room:]), clips, strict=True):
        np.testing.assert_array_equal(decode(slot, FRAMES), clip)


def test_a_study_has_room_for_its_pairs_at_the_least_effort(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Store(template).open()
    clips, schedule = study.clips(), study.schedule()
    monkeypatch.setattr(clip_encoding, "EFFORTS", clip_encoding.EFFORTS[:1])
    for pair in (*schedule.trials[::3], *schedule.practice, *schedule.catch):
        both = [clips[name, pair.scene].data for name in (pair.first, pair.second)]
        assert clip_encoding.pair_bytes(*both) <= 2 * study.slot_bytes()


def test_a_pair_too_wide_for_one_picture_is_put_below_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_encoding, "WEBP_SIDE", 100)  # two columns of 32 pixels each, and one row
    left, right = (clip_encoding.encode(sky(seed, 2)) for seed in (1, 2))
    with Image.open(io.BytesIO(clip_encoding.message(left, right, 65536))) as picture:
        assert picture.size == (64, 64)


def test_what_is_no_clip_of_a_study_is_refused() -> None:
    clip = clip_encoding.encode(sky(1))
    with pytest.raises(BenchError, match="does not fit"):
        clip_encoding.message(clip, clip, 10)
    with pytest.raises(BenchError, match="not a lossless WebP"):
        clip_encoding.message(clip, clip.replace(b"VP8L", b"VP8 "), 2 * len(clip))


def entropy(data: bytes) -> float:
    """Bits a byte, from how often each value comes."""
    share = np.bincount(np.frombuffer(data, np.uint8), minlength=256) / len(data)
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())


def shrunk(data: bytes) -> float:
    """How well another program packs them."""
    return len(zlib.compress(data, 9))


def ones(data: bytes) -> float:
    """Bits that are set."""
    return float(np.unpackbits(np.frombuffer(data, np.uint8)).mean())


def stated(data: bytes) -> int:
    """The lengths that a WebP states, if it is one."""
    return int.from_bytes(data[4:8], "little") + int.from_bytes(data[16:20], "little")


def tail(data: bytes) -> int:
    """Where the last byte is that the padding of version 0.2 could not have."""
    return int(np.flatnonzero(np.frombuffer(data, np.uint8) < 0x80)[-1])


def zeros(data: bytes) -> int:
    """Where the last zero is, as if padded by zeros."""
    return int(np.flatnonzero(np.frombuffer(data, np.uint8))[-1])


def change(data: bytes) -> float:
    """Where the kind of bytes changes most, as where a picture ends and its padding begins."""
    parts = np.array_split(np.frombuffer(data, np.uint8), 16)
    means = np.array([np.unpackbits(part).mean() for part in parts])
    return float(np.abs(np.diff(means)).argmax())


#: Two parts of a message that could be those of its two clips.
CUTS: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    "halves": lambda data: (data[: len(data) // 2], data[len(data) // 2 :]),
    "turns": lambda data: (data[25::2], data[26::2]),
    "beginning": lambda data: (data[25:425], data[425:825]),
}
SCRIPTS: list[Callable[[bytes], float]] = [entropy, shrunk, ones, stated, tail, zeros, change]


def guesses(message: bytes) -> np.ndarray:
    """Of each script and each way to cut a message: whether it finds more in the first part (1), or as much (0)."""
    parts = [cut(message) for cut in CUTS.values()]
    return np.array([np.sign(script(one) - script(other)) for script in SCRIPTS for one, other in parts])


def mean_guesses(both: tuple[bytes, bytes], room: int, messages: int) -> np.ndarray:
    """The scripts' mean guesses over several messages of a pair, since each is padded by chance."""
    return np.mean([guesses(clip_encoding.message(*both, room)) for _ in range(messages)], 0)


def test_no_script_without_a_decoder_tells_the_sides_of_a_pair_apart(template: Path) -> None:
    study = Store(template).open()
    clips, schedule = study.clips(), study.schedule()
    kinds = {"trial": schedule.trials[:40], "practice": schedule.practice, "catch": schedule.catch}
    assert all(kinds.values())
    assert {pair.first for pair in (*schedule.practice, *schedule.catch)} & {"real", *WAYS}
    heads, told = set(), []
    for pairs in kinds.values():
        for pair in pairs:
            one, other = (clips[name, pair.scene].data for name in (pair.first, pair.second))
            longer = 1 if len(one) > len(other) else -1  # which of the two has more to say
            for side, both in ((1, (one, other)), (-1, (other, one))):
                message = clip_encoding.message(*both, study.slot_bytes())
                heads.add(message[: clip_encoding.PICTURE])
                told.append(side * longer * mean_guesses(both, study.slot_bytes(), 8))
    assert len(heads) == 1  # lengths, kinds and the picture's size: every byte before the picture
    assert len(told) > 80
    # each pair comes with both sides, so that a script that looks at the pair as a whole is right in half of them
    assert np.abs(np.mean(told, 0)).max() < 0.4


@pytest.mark.parametrize("way", WAYS)
def test_a_catch_trial_is_not_passed_by_statistics_of_its_bytes(way: str) -> None:
    right = []
    rng = np.random.default_rng(0)
    for seed in range(24):
        clip = sky(seed, FRAMES)
        real, altered = (clip_encoding.encode(shown) for shown in (clip, alter(way, clip, rng)))
        room = clip_encoding.slot_bytes(max(len(real), len(altered)), clip_encoding.pair_bytes(real, altered))
        for side, both in ((1, (real, altered)), (-1, (altered, real))):
            right.append(side * mean_guesses(both, room, 16))
    # of 21 scripts the best and the worst, each in the better of both directions: far from what the rule asks for
    assert np.abs(np.mean(right, 0)).max() < 0.5
