from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError
from bench.files import write_json, write_text
from bench.scoring.protocol import Protocol
from bench.scoring.protocol_choices import CHOICES, Choices

PROTOCOL = Protocol("sky", 64, "all", 3, "0123456789abcdef", False, {"mse": "v1"})


def test_the_id_says_what_must_be_equal() -> None:
    assert PROTOCOL.id == "v1/sky/64px/all32/3clips/01234567"
    other = dataclasses.replace(PROTOCOL, frames="future", partial=True)
    assert other.id == "v1/sky/64px/future31/3clips/01234567/partial"


def test_the_id_of_a_metric_names_its_weights_and_a_raised_version() -> None:
    weights = "w.pt sha256:0011223344"
    of = {"fvd": f"v2 {weights}", "kvd": f"v2 {weights}", "mse": "v1", "psnr_frame": "v2", "motion": "v2"}
    ids = {name: replace(PROTOCOL, metrics=of).id_of(name).removeprefix(PROTOCOL.id) for name in of}
    # those of metrics that were raised before an ID named versions stay as they were
    assert ids == {
        "fvd": "/fvd:00112233",
        "kvd": "/kvd.v2:00112233",
        "mse": "",
        "psnr_frame": "",
        "motion": "/motion.v2",
    }


def test_a_protocol_reads_back_as_it_was(tmp_path: Path) -> None:
    PROTOCOL.save(tmp_path / "protocol.json")
    assert Protocol.load(tmp_path / "protocol.json") == PROTOCOL


def test_what_is_no_protocol_is_named(tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    content = PROTOCOL.to_dict()
    write_json(path, {key: value for key, value in content.items() if key != "frames"} | {"colour": "red"})
    with pytest.raises(
        BenchError, match=r"protocol\.json is not a protocol file .*\(frames is missing, colour is unknown\)"
    ):
        Protocol.load(path)
    write_json(path, [1])
    with pytest.raises(BenchError, match=r"protocol\.json is not a protocol file"):
        Protocol.load(path)
    write_text(path, "{")
    with pytest.raises(BenchError, match=r"protocol\.json is not valid JSON"):
        Protocol.load(path)


def test_a_window_of_longer_clips_follows_from_the_id_and_stands_in_the_stamp() -> None:
    whole = Protocol("sky", 64, "all", 2, "ab", partial=False)
    first = replace(whole, length=16, whole=32)
    drawn = replace(first, sampling="random")
    assert len({whole.id, first.id, drawn.id}) == 3
    assert (whole.frames_to_read, first.frames_to_read) == (32, 32)
    assert whole.window("a") == slice(0, 32, 1)
    assert first.window("a") == slice(0, 16, 1)
    starts = {drawn.window(f"clip {n}").start for n in range(200)}
    assert starts == set(range(17))
    assert drawn.window("clip 1") == drawn.window("clip 1")


def test_choices_at_their_default_appear_nowhere() -> None:
    assert Choices().stamps() == [] == Choices().flags()
    assert "crop" not in PROTOCOL.to_dict()
    made = replace(PROTOCOL, choices=Choices(unpaired=True, crop="centre", draws=10))
    assert made.id == f"{PROTOCOL.id}/unpaired/crop-centre/draws10"
    assert made.to_dict()["draws"] == 10
    assert Protocol.from_dict(made.to_dict()) == made


#: Every choice of a protocol with two further values; the combinations are all that `bench score` can make.
VALUES: dict[str, tuple[Any, Any]] = {
    "dataset": ("sky", "beach"),
    "resolution": (64, 128),
    "frames": ("future", "context10-future"),
    "clips": (3, 4),
    "manifest": ("a" * 16, "b" * 16),
    "partial": (True, False),
    "length": (16, 24),
    "width": (80, 96),
    "sampling": ("first", "random"),
    "definition": (1, 2),
    "samples": (5, 10),
    "best": (2, 5),
    "unpaired": (True, False),
    "crop": ("squash", "centre"),
    "stride": (2, 4),
    "part": ("1-16", "9-24"),
    "mirror": (True, False),
    "reference_split": ("train", "all"),
    "per_video": (0, 2),
    "draws": (5, 10),
    "generated": (500, 2048),
}
#: Choices that mean nothing where clips are paired, and that of a window, where clips are read whole.
UNPAIRED_ALONE = {name for name, choice in CHOICES.items() if choice.metadata.get("unpaired")} | {"sampling"}


def protocol_with(**values: Any) -> Protocol:
    choices = Choices(**{"unpaired": True, **{k: v for k, v in values.items() if k in CHOICES}})
    facts = {key: value for key, value in values.items() if key not in CHOICES}
    return replace(PROTOCOL, **{"length": 32, **facts}, choices=choices)


def test_the_values_cover_every_choice() -> None:
    known = {f.name for f in dataclasses.fields(Protocol)} - {"metrics", "choices", "whole"} | CHOICES.keys()
    assert VALUES.keys() == known


@pytest.mark.parametrize("name", VALUES)
def test_protocols_that_differ_in_any_pair_of_choices_have_different_ids_and_are_told_apart(name: str) -> None:
    for other, others in VALUES.items():
        if name == other or ("unpaired" in (name, other) and UNPAIRED_ALONE & {name, other}):
            continue
        made = [protocol_with(**{name: mine, other: theirs}) for mine in VALUES[name] for theirs in others]
        assert len({one.id for one in made}) == len(made) == 4
        for one, another in itertools.permutations(made, 2):
            told = {text.split(" is ")[0].split(" (")[0] for text in one.differences(another)}
            assert told == {key for key in (name, other) if value_of(one, key) != value_of(another, key)}


def value_of(protocol: Protocol, name: str) -> Any:
    return getattr(protocol.choices if name in CHOICES else protocol, name)


def test_a_difference_names_the_flag_that_makes_it() -> None:
    paired = replace(PROTOCOL, choices=Choices(crop="centre"))
    assert PROTOCOL.differences(paired) == ["crop (--crop) is 'squash' and 'centre'"]
    assert PROTOCOL.differences(PROTOCOL) == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"crop": "middle"}, "crop is 'middle': expected one of squash, centre"),
        ({"stride": 0}, "stride is 0: expected a whole number, 1 or above"),
        ({"mirror": True}, "--mirror was given, but predictions are paired"),
        ({"unpaired": 1}, "unpaired is 1: expected true or false"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        Choices(**values)


def test_every_nth_frame_spreads_over_more_frames() -> None:
    apart = replace(PROTOCOL, length=16, whole=64, choices=Choices(stride=4))
    assert apart.span == 61
    assert apart.frames_to_read == 64
    assert list(range(64))[apart.window("a")] == list(range(0, 61, 4))
    drawn = replace(apart, sampling="random")
    assert {drawn.window(f"clip {n}").start for n in range(100)} == {0, 1, 2, 3}


def test_given_frames_are_not_scored() -> None:
    ten = replace(PROTOCOL, frames="context10-future", length=20)
    assert (ten.skipped, ten.scored_frames, ten.scored) == (10, 10, slice(10, 20))
    assert ten.id == "v1/sky/64px/context10-future10/3clips/01234567"
    assert ten.frames_in_words == "the 10 frames after the 10 given ones"
    thinned = replace(PROTOCOL, length=16, whole=64, choices=Choices(stride=4))  # "…, one of every 4 frames" follows
    assert thinned.frames_in_words == "16 of 64 frames"


def test_the_middle_square_is_cut_before_frames_are_resized() -> None:
    wide = np.zeros((2, 4, 8, 3), np.uint8)
    wide[:, :, 2:6] = 200
    cropped = replace(PROTOCOL, resolution=2, choices=Choices(crop="centre"))
    assert (cropped.fit(wide) == 200).all()
    assert not (replace(PROTOCOL, resolution=2).fit(wide) == 200).all()
