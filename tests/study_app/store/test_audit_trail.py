"""A study is open, paused, closed, and open again; nothing is lost by it."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from study_app.pipeline.status import lines, status
from study_app.store.messages import Answer, RefusedError
from study_app.store.store import Store

TOKEN = "somebody who is at it"


def test_nobody_rates_while_a_study_is_paused_or_closed(where: str) -> None:
    study = Store(where).open()
    study.enrol(TOKEN)
    trial, following = study.view(TOKEN).trials
    study.change("pause", "a test", "the projector is broken")
    assert study.view(TOKEN).state == "paused"
    view = study.vote(TOKEN, trial, Answer("left", 900))  # it was on its way
    assert (view.state, view.answered, len(study.votes())) == ("paused", 1, 1)
    with pytest.raises(RefusedError, match="takes nobody"):
        study.enrol("somebody new")
    with pytest.raises(BenchError, match="paused already"):
        study.change("pause", "a test")
    study.change("close", "a test")
    assert study.view(TOKEN).state == study.state() == "closed"
    assert lines(status(Store(where).open()))[0].endswith("1 raters; closed.")
    study.change("reopen", "a test")
    view = study.view(TOKEN)
    assert (view.state, view.trials[0]) == ("rating", following)
    said = study.watch().audit
    assert list(said["action"])[:3] == ["reopen", "close", "pause"]
    assert said["detail"].iloc[2] == "the projector is broken"
