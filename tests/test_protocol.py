from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.protocol import Protocol

PROTOCOL = Protocol("sky", 64, "all", 3, "0123456789abcdef", False, {"mse": "v1"})


def test_the_id_says_what_must_be_equal() -> None:
    assert PROTOCOL.id == "v1/sky/64px/all32/3clips/01234567"
    other = dataclasses.replace(PROTOCOL, frames="future", partial=True)
    assert other.id == "v1/sky/64px/future31/3clips/01234567/partial"


def test_a_protocol_reads_back_as_it_was(tmp_path: Path) -> None:
    PROTOCOL.save(tmp_path / "protocol.json")
    assert Protocol.load(tmp_path / "protocol.json") == PROTOCOL
