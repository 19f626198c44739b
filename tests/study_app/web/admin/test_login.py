"""The cookie that opens the admin page again after a reload."""

from __future__ import annotations

import time

import pytest

from study_app.web.admin import login


def test_a_pass_is_good_for_a_day_s_work_and_one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    good = login.new_pass("correct horse")
    assert login.is_valid(good, "correct horse")
    assert not login.is_valid(good, "another password")
    until, _, signature = good.partition(".")
    for forged in ("", ".", good[:-1], f"{int(until) + 1}.{signature}", f"-1.{signature}", "x." + signature):
        assert not login.is_valid(forged, "correct horse")
    monkeypatch.setattr(time, "time", lambda: int(until) + 1.0)
    assert not login.is_valid(good, "correct horse")
