"""Choices of a protocol: what a scoring may do otherwise than by default.

A choice has one place: its field of `Choices`. There it has its default, what it has to be, its flag, its part of the
protocol ID and its words for a caption. Everything else follows: the flags of `bench score`, the ID, `protocol.json`,
what `bench compare` says of two IDs that differ. A choice at its default appears nowhere, so that IDs and files of
older versions stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field, fields
from typing import Any

from bench.config import SCORED_FRAMES
from bench.errors import BenchError

#: Squash frames to a square, or cut the middle square out of them first.
CROPS: tuple[str, ...] = ("squash", "centre")
#: Which videos of a dataset are the real ones.
REFERENCE_SPLITS: dict[str, tuple[str, ...]] = {"test": ("test",), "train": ("train",), "all": ("train", "test")}


def _choice(fits: Callable[[Any], bool], expected: str, stamp: str, words: str, **more: Any) -> Any:
    """A field of `Choices`: `{}` in stamp and words is its value; `flag` is the flag that sets it, if there is one."""
    metadata: dict[str, Any] = {"fits": fits, "expected": expected, "stamp": stamp, "words": words}
    metadata |= {key: more.pop(key) for key in ("flag", "unpaired") if key in more}
    return field(metadata=metadata, **more)


def _whole(least: int, stamp: str, words: str, **more: Any) -> Any:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return _choice(fits, f"a whole number, {least} or above", stamp, words, **more)


def _one_of(known: Collection[str], stamp: str, words: str, **more: Any) -> Any:
    return _choice(lambda value: value in known, f"one of {', '.join(known)}", stamp, words, **more)


def _switch(stamp: str, words: str, **more: Any) -> Any:
    return _choice(lambda value: isinstance(value, bool), "true or false", stamp, words, default=False, **more)


@dataclass(frozen=True)
class Choices:
    """What a scoring does otherwise than by default; equal numbers need equal choices.

    Attributes:
        unpaired: compare whole sets only, of any names and numbers.
        crop: "squash" to a square, or "centre": the middle square, then resized.
        stride: every how many-th frame is looked at.
        part: which of the scored frames, counted from 1, as in "9-24"; empty for all of them. Curves over time use it.
        mirror: add a copy of every real clip, mirrored from left to right.
        reference_split: which videos of the dataset are the real ones, from `REFERENCE_SPLITS`.
        per_video: windows of each real video; 0 for as many as fit without overlap.
        draws: how often the clips are drawn; numbers are means over the draws.
        generated: videos of each method; 0 where predictions and clips are paired.
    """

    unpaired: bool = _switch("unpaired", "sets that are not paired", flag="--unpaired")
    crop: str = _one_of(CROPS, "crop-{}", "cropped at the {}", flag="--crop", default="squash")
    stride: int = _whole(1, "stride{}", "one of every {} frames", flag="--stride", default=1)
    part: str = _choice(
        lambda value: isinstance(value, str), "a text", "frames{}", "scored frames {} alone", default=""
    )
    mirror: bool = _switch("mirror", "real clips and their mirrored copies", flag="--mirror", unpaired=True)
    reference_split: str = _one_of(
        REFERENCE_SPLITS, "real-{}", "real clips: {}", flag="--reference-split", unpaired=True, default="test"
    )
    per_video: int = _whole(
        0, "per-video{}", "{} windows of each real video (0: all)", flag="--per-video", unpaired=True, default=1
    )
    draws: int = _whole(1, "draws{}", "mean over {} draws", flag="--draws", unpaired=True, default=1)
    generated: int = _whole(0, "{}generated", "{} generated videos", flag="--generated", unpaired=True, default=0)

    def __post_init__(self) -> None:
        """Refuse a value that a choice does not have, and one that means nothing where clips are paired."""
        for choice in fields(self):
            value = getattr(self, choice.name)
            if not choice.metadata["fits"](value):
                raise BenchError(f"{choice.name} is {value!r}: expected {choice.metadata['expected']}.")
            if choice.metadata.get("unpaired") and not self.unpaired and choice in self._made():
                raise BenchError(
                    f"{choice.metadata['flag']} was given, but predictions are paired with clips. Add "
                    "--unpaired, or leave it out."
                )

    def _made(self) -> list[Field[Any]]:
        """The choices that are not at their default."""
        return [choice for choice in fields(self) if getattr(self, choice.name) != choice.default]

    def stamps(self) -> list[str]:
        """Their parts of the protocol ID.

        >>> Choices(unpaired=True, crop="centre", stride=4).stamps()
        ['unpaired', 'crop-centre', 'stride4']
        """
        return [choice.metadata["stamp"].format(getattr(self, choice.name)) for choice in self._made()]

    def words(self) -> list[str]:
        """Their words for a caption."""
        return [choice.metadata["words"].format(getattr(self, choice.name)) for choice in self._made()]

    def to_dict(self) -> dict[str, Any]:
        """Those that are not at their default, as plain JSON."""
        return {choice.name: getattr(self, choice.name) for choice in self._made()}

    def flags(self) -> list[str]:
        """The flags of `bench score` that set them.

        >>> Choices(unpaired=True, stride=4).flags()
        ['--unpaired', '--stride', '4']
        """
        words = []
        for choice in self._made():
            value, flag = getattr(self, choice.name), choice.metadata.get("flag")
            words += [] if flag is None else [flag] if value is True else [flag, str(value)]
        return words


#: The choices by name.
CHOICES = {choice.name: choice for choice in fields(Choices)}


def with_flag(name: str) -> str:
    """A choice's name with its flag, where it has one, for a message.

    >>> with_flag("crop")
    'crop (--crop)'
    """
    flag = CHOICES[name].metadata.get("flag") if name in CHOICES else None
    return f"{name} ({flag})" if flag else name


def skipped_frames(frames: str) -> int:
    """How many of a clip's first frames a choice of frames leaves out: those that a model was given.

    >>> skipped_frames("all"), skipped_frames("future"), skipped_frames("context10-future")
    (0, 1, 10)

    Raises:
        BenchError: there is no such choice.
    """
    if (found := SCORED_FRAMES.fullmatch(frames)) is None:
        raise BenchError(f"frames is '{frames}': expected all, future, or context10-future for 10 given frames.")
    return int(found["given"]) if found["given"] else int(frames == "future")


def frames_after(context: int) -> str:
    """The choice of frames that leaves out so many given ones, the inverse of `skipped_frames`.

    >>> frames_after(0), frames_after(1), frames_after(10)
    ('all', 'future', 'context10-future')
    """
    if context < 0:
        raise BenchError(f"The number of context frames is {context}: expected 0 or above.")
    return {0: "all", 1: "future"}.get(context, f"context{context}-future")
