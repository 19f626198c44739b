"""Choices of a protocol: settings of a scoring that may differ from their defaults.

Each choice is defined in one place, its field of `Choices`. The field contains its default, its permitted values, its
flag, its part of the protocol ID and its words for a caption. Everything else is derived from it: the flags of
`bench score`, the ID, `protocol.json`, and how `bench compare` describes two IDs that differ. A choice at its default
appears nowhere, so that IDs and files of older versions remain unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field, fields
from typing import Any

from bench.config import SCORED_FRAMES
from bench.errors import BenchError

#: Ways to make frames square: squash them, or cut out the middle square first.
CROPS: tuple[str, ...] = ("squash", "centre")
#: Splits of a dataset whose videos are the real ones, by choice.
REFERENCE_SPLITS: dict[str, tuple[str, ...]] = {"test": ("test",), "train": ("train",), "all": ("train", "test")}


def _choice(fits: Callable[[Any], bool], expected: str, stamp: str, words: str, **more: Any) -> Any:
    """A field of `Choices`; its value replaces `{}` in stamp and words; `flag`, if any, is the flag that sets it."""
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
    """Settings of a scoring that may differ from their defaults; numbers are comparable only if all choices are equal.

    Attributes:
        unpaired: compare whole sets only, with videos of any name and in any number.
        crop: "squash" to a square, or "centre": the middle square, then resized.
        stride: use every `stride`-th frame.
        part: which of the scored frames, counted from 1, as in "9-24"; empty for all. Curves over time use this.
        mirror: add a copy of every real clip, mirrored from left to right.
        reference_split: which videos of the dataset are the real ones, from `REFERENCE_SPLITS`.
        per_video: number of windows per real video; 0 for as many as fit without overlap.
        draws: number of times the clips are drawn; results are means over the draws.
        generated: number of videos per method; 0 if predictions and clips are paired.
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
        """Refuse values that are not permitted, and choices that have no meaning for paired clips."""
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
        """Parts of the protocol ID for the choices that are not at their default.

        >>> Choices(unpaired=True, crop="centre", stride=4).stamps()
        ['unpaired', 'crop-centre', 'stride4']
        """
        return [choice.metadata["stamp"].format(getattr(self, choice.name)) for choice in self._made()]

    def words(self) -> list[str]:
        """Words for a caption for the choices that are not at their default."""
        return [choice.metadata["words"].format(getattr(self, choice.name)) for choice in self._made()]

    def to_dict(self) -> dict[str, Any]:
        """The choices that are not at their default, as plain JSON."""
        return {choice.name: getattr(self, choice.name) for choice in self._made()}

    def flags(self) -> list[str]:
        """The flags of `bench score` that set these choices.

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
    """A choice's name, with its flag if it has one, for a message.

    >>> with_flag("crop")
    'crop (--crop)'
    """
    flag = CHOICES[name].metadata.get("flag") if name in CHOICES else None
    return f"{name} ({flag})" if flag else name


def skipped_frames(frames: str) -> int:
    """Number of a clip's first frames that a choice of frames leaves out because a model was given them.

    >>> skipped_frames("all"), skipped_frames("future"), skipped_frames("context10-future")
    (0, 1, 10)

    Raises:
        BenchError: the choice is unknown.
    """
    if (found := SCORED_FRAMES.fullmatch(frames)) is None:
        raise BenchError(f"frames is '{frames}': expected all, future, or context10-future for 10 given frames.")
    return int(found["given"]) if found["given"] else int(frames == "future")


def frames_after(context: int) -> str:
    """The choice of frames that leaves out this many given frames; the inverse of `skipped_frames`.

    >>> frames_after(0), frames_after(1), frames_after(10)
    ('all', 'future', 'context10-future')
    """
    if context < 0:
        raise BenchError(f"The number of context frames is {context}: expected 0 or above.")
    return {0: "all", 1: "future"}.get(context, f"context{context}-future")
