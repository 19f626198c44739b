"""`bench release` and `bench push` as they are typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import provenance
from bench.cli import main as cli
from tests.pipeline.test_push import hub as hub
from tests.pipeline.test_release import train
from tests.support.small import REPOSITORY

RUN = REPOSITORY / "results" / "reference" / "sky"


def bench(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_a_dry_run_lists_files_and_bytes_and_opens_no_connection(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert bench(monkeypatch, "push", RUN, "--to", "lab/sky", "--dry-run") == 0
    out, err = capsys.readouterr()
    listed = dict(line.split() for line in out.splitlines()[1:])
    assert listed["summary.csv"] == f"{(RUN / 'summary.csv').stat().st_size:,}"
    assert f"{len(listed)} files, " in err
    assert "would be sent to the dataset lab/sky" in err
    assert "held back because they show frames of sky" in err


def test_a_push_prints_the_address_of_what_is_there_now(
    hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    assert bench(monkeypatch, "push", RUN, "--to", "lab/sky", "--by", "A lab") == 0
    out, err = capsys.readouterr()
    assert out.strip() == f"{hub.url}/datasets/lab/sky/commit/{1:040d}"
    assert "are in the dataset lab/sky" in err
    assert hub.files["datasets/lab/sky"]["summary.csv"] == (RUN / "summary.csv").read_bytes()
    assert bench(monkeypatch, "push", RUN, "--to", "lab/sky", "--by", "A lab", "--json") == 0
    output = json.loads(capsys.readouterr().out)
    assert output["address"] == out.strip()
    assert {line["file"] for line in output["files"]} == set(hub.files["datasets/lab/sky"])


def test_without_the_package_the_sentence_says_what_brings_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_any")
    monkeypatch.setenv("BENCH_OFFLINE", "")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr(provenance, "requires", lambda name: ["huggingface-hub>=1; extra == 'hub'"])
    assert bench(monkeypatch, "push", RUN, "--to", "lab/sky") == 1
    assert "install it with `pip install 'timelapse-bench[hub]'`" in capsys.readouterr().err


def test_a_release_prints_files_and_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tmp_path / "vgan", "vgan", {"width": 4}).parent
    assert bench(monkeypatch, "release", run, "--to", tmp_path / "r", "--json") == 0
    [output] = json.loads(capsys.readouterr().out)
    assert (output["file"], output["levels"]) == ("vgan.pt", 0)
    assert bench(monkeypatch, "release", run, "--to", tmp_path / "r") == 0
    assert output["sha256"] in capsys.readouterr().out
    assert bench(monkeypatch, "release", run, "--to", tmp_path / "r", "--largest-mb", 0.01) == 1
    assert (
        "more than the limit of 10.0 kB. To raise the limit, use --largest-mb; --precision float16 would halve it"
        in capsys.readouterr().err
    )
