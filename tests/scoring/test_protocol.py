from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.files import write_json, write_text
from bench.scoring.protocol import Protocol

PROTOCOL = Protocol("sky", 64, "all", 3, "0123456789abcdef", False, {"mse": "v1"})


def test_the_id_says_what_must_be_equal() -> None:
    assert PROTOCOL.id == "v1/sky/64px/all32/3clips/01234567"
    other = dataclasses.replace(PROTOCOL, frames="future", partial=True)
    assert other.id == "v1/sky/64px/future31/3clips/01234567/partial"


def test_a_protocol_reads_back_as_it_was(tmp_path: Path) -> None:
    PROTOCOL.save(tmp_path / "protocol.json")
    assert Protocol.load(tmp_path / "protocol.json") == PROTOCOL


def test_what_is_no_protocol_is_named(tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    content = PROTOCOL.to_dict()
    write_json(path, {key: value for key, value in content.items() if key != "frames"} | {"colour": "red"})
    with pytest.raises(BenchError, match=r"protocol\.json is no protocol .*\(frames is missing, colour is unknown\)"):
        Protocol.load(path)
    write_json(path, [1])
    with pytest.raises(BenchError, match=r"protocol\.json is no protocol"):
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
    assert whole.window("a") == slice(0, 32)
    assert first.window("a") == slice(0, 16)
    starts = {drawn.window(f"clip {n}").start for n in range(200)}
    assert starts == set(range(17))
    assert drawn.window("clip 1") == drawn.window("clip 1")
