from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.engine import sessions
from bench.engine.devices import make_fabric, threads
from bench.engine.sessions import kept_threads, read_sessions, record_session, this_session


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Where the tests compute; what a test changes in it, it changes for the code too."""
    place: dict[str, Any] = {"processor": "A", "threads": 1, "packages": {"torch": "2.14.1"}}
    monkeypatch.setattr(sessions, "provenance", lambda device: {**place, "device": device})
    return place


def record(folder: Path, at: tuple[int, int]) -> list[tuple[int, int, str]]:
    record_session(folder, at, make_fabric("cpu"), "The training run")
    return [(s["stage"], s["step"], s["packages"]["torch"]) for s in read_sessions(folder)]


def test_a_session_is_recorded_where_something_has_changed(
    tmp_path: Path, somewhere: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(tmp_path, (0, 0)) == [(0, 0, "2.14.1")]
    assert record(tmp_path, (0, 10)) == [(0, 0, "2.14.1")]
    assert capsys.readouterr().err == ""
    somewhere["packages"]["torch"] = "2.15.0"
    assert record(tmp_path, (0, 20)) == [(0, 0, "2.14.1"), (0, 20, "2.15.0")]
    output = " ".join(capsys.readouterr().err.split())
    assert "The training run resumes under different conditions (torch 2.14.1 → 2.15.0)" in output
    # Back to a step before it: what it computed is computed again.
    somewhere["packages"]["torch"] = "2.16.0"
    assert record(tmp_path, (0, 15)) == [(0, 0, "2.14.1"), (0, 15, "2.16.0")]
    assert record(tmp_path, (0, 0)) == [(0, 0, "2.16.0")]


def test_a_session_names_what_moves_bits(tmp_path: Path) -> None:
    session = this_session(make_fabric("cpu"))
    assert session["precision"] == "32-true"
    assert session["threads"] == torch.get_num_threads()
    assert {"processor", "instruction_set", "onednn"} <= session.keys()


def test_a_training_run_keeps_its_number_of_threads_on_a_cpu(tmp_path: Path, somewhere: dict[str, Any]) -> None:
    with threads(3):
        assert kept_threads(tmp_path, "cpu") == 3
        somewhere["threads"] = 2
        record(tmp_path, (0, 0))
        assert kept_threads(tmp_path, "cpu") == 2
        assert kept_threads(tmp_path, "cuda") == 3


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="stop"), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError("stop")
    assert torch.get_num_threads() == before


def test_a_training_run_of_an_older_version_has_no_sessions(tmp_path: Path) -> None:
    assert kept_threads(tmp_path / "missing", "cpu") == torch.get_num_threads()
    assert read_sessions(tmp_path) == []
