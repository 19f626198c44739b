from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench import progress
from bench.progress import task


def test_progress_goes_to_stderr_and_ends_with_its_last_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))
    with task("working", 3, done=1) as job:
        job.advance(note="loss 0.5")
        job.advance(note="loss 0.25")
    out, err = capsys.readouterr()
    assert not out
    assert err == "working: 3/3 loss 0.25 (0 s left)\n"


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 8))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    with task("working", 20) as job:
        for _ in range(20):
            job.advance()
    lines = capsys.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 10
    assert lines[-1].startswith("working: 20/20")


def test_a_narrow_terminal_shows_what_is_left_and_cuts_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(progress, "console", lambda: screen)
    with task("training mdgan refine (seed 0)", 150) as job:
        job.advance(30, note="loss 0.12345 " * 12)
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    bar = next(line for line in lines if "30/150" in line)
    assert re.search(r"training mdgan refine \(seed 0\) .*30/150 +[-\d]:[-\d]{2}:[-\d]{2}", bar)
    note = next(line for line in lines if "loss" in line)
    assert len(note) == 80
    assert note.endswith("…")
