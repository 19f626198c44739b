"""Signed links: as a table, and as a sheet of QR codes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.errors import BenchError
from study_app.pipeline import links
from study_app.store.participants import Visitor
from study_app.store.store import Store
from study_app.web.visit import visitor
from tests.study_app.pipeline.test_export import call


def test_links_name_their_participants_and_are_the_same_each_time(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("segno", reason="the study needs its extra: pip install 'timelapse-bench[study]'")
    out = tmp_path / "out"
    command = ["links", "--db", sqlite, "--url", "https://study.example.org/", "--count", "12", "--out", str(out)]
    first, again = call(*command), call(*command)
    assert first == again
    with (out / "links.csv").open() as file:
        made = list(csv.DictReader(file))
    assert [line["participant"] for line in made] == [f"P{n:02d}" for n in range(1, 13)]
    assert len({line["link"] for line in made}) == 12
    study = Store(sqlite).open()
    for line in made:
        assert line["link"].startswith("https://study.example.org/?participant=P")
        given = dict(pair.split("=") for pair in line["link"].partition("?")[2].split("&"))
        who = visitor(given)
        assert who is not None
        assert study.is_signed(who)
        assert not study.is_signed(Visitor("lab", "P99", "", who.key))
    sheet = (out / "links.html").read_text()
    assert sheet.count("<svg") == 12
    assert "<script" not in sheet
    monkeypatch.setenv("BENCH_STUDY_SECRET", "another key of this test")
    assert not study.is_signed(who)


def test_links_that_make_no_sense(sqlite: str) -> None:
    study = Store(sqlite).open()
    for url in ("study.example.org", "ftp://x", "https://x/?a=1", ""):
        with pytest.raises(BenchError, match="address"):
            links.links(study, ["P1"], url)
    for ids, sentence in (([], "--count"), ([" "], "participant's ID"), (["a", "A "], "same ID")):
        with pytest.raises(BenchError, match=sentence):
            links.links(study, ids, "https://x")
    assert links.numbered(2, 99) == ["P099", "P100"]
