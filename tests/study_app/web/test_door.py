"""The cookie that opens the admin page again after a reload."""

from __future__ import annotations

import time

import pytest

from study_app.web.screens import door


def test_a_pass_is_good_for_a_day_s_work_and_one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    good = door.new_pass("correct horse")
    assert door.is_valid(good, "correct horse")
    assert not door.is_valid(good, "another password")
    until, _, signature = good.partition(".")
    for forged in ("", ".", good[:-1], f"{int(until) + 1}.{signature}", f"-1.{signature}", "x." + signature):
        assert not door.is_valid(forged, "correct horse")
    monkeypatch.setattr(time, "time", lambda: int(until) + 1.0)
    assert not door.is_valid(good, "correct horse")
