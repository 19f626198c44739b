"""The pass that opens the admin page again after a reload."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from study_app.store.store import Store
from study_app.web import admin_session, calls
from study_app.web.served_study import PASSWORD_VARIABLE


def test_a_pass_is_good_for_a_day_s_work_one_password_and_until_somebody_signs_out(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Store(sqlite).open()
    good, other = admin_session.new_pass("correct horse"), admin_session.new_pass("correct horse")
    assert good != other
    assert admin_session.is_valid(good, "correct horse", study)
    assert not admin_session.is_valid(good, "another password", study)
    assert not admin_session.is_valid(good, "", study)
    said, _, signature = good.rpartition(".")
    until, _, nonce = said.partition(".")
    forged = ["", ".", "..", good[:-1], f"{int(until) + 1}.{nonce}.{signature}", f"-1.{nonce}.{signature}"]
    for value in (*forged, f"x.{nonce}.{signature}", f"{until}.{nonce}x.{signature}"):
        assert not admin_session.is_valid(value, "correct horse", study)
    study.sign_out(good)
    assert not admin_session.is_valid(good, "correct horse", Store(sqlite).open())  # in another process too
    assert admin_session.is_valid(other, "correct horse", study)
    monkeypatch.setattr(time, "time", lambda: int(until) + 10.0)
    assert not admin_session.is_valid(other, "correct horse", study)


def test_a_short_password_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, opens in (("", ""), ("a", ""), ("1234567", ""), ("12345678", "12345678")):
        monkeypatch.setenv(PASSWORD_VARIABLE, given)
        assert admin_session.password() == opens


def test_a_forwarded_address_is_believed_of_a_proxy_that_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(calls.PROXY_VARIABLE, raising=False)
    assert calls.forwarded("127.0.0.1", "203.0.113.9") == "127.0.0.1"
    monkeypatch.setenv(calls.PROXY_VARIABLE, "1")
    assert calls.forwarded("127.0.0.1", "198.51.100.1, 203.0.113.9") == "203.0.113.9"  # what the proxy itself has seen
    assert calls.forwarded("127.0.0.1", "") == "127.0.0.1"
    assert calls.forwarded("192.0.2.7", "203.0.113.9") == "192.0.2.7"


@pytest.mark.process
def test_the_sign_in_loads_no_pytorch() -> None:
    code = "import sys, study_app.web.app, study_app.web.admin.login; print('torch' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=Path(__file__).parents[4], text=True)
    assert said.split()[-1] == "False"
