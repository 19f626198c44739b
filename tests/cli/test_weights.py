from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from bench.cli.weights import weights_app
from bench.errors import BenchError
from bench.metrics import check_values
from bench.metrics.check_values import NumberCheck
from bench.metrics.networks import fetch_weights, weights_catalog
from bench.metrics.networks.i3d import I3D


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def run() -> Callable[..., str]:
    """What a command prints, or the `BenchError` it ends in."""

    def call(*words: str) -> str:
        result = CliRunner().invoke(weights_app, words)
        if result.exception:
            raise result.exception
        return result.output

    return call


def test_one_that_cannot_be_had_keeps_nobody_from_the_others(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def get(name: str, offline: bool) -> Path:
        requests.append(name)
        if name == "fid":
            raise BenchError("fid is out of reach.")
        return Path(name)

    monkeypatch.setattr(fetch_weights, "fetch", get)
    with pytest.raises(BenchError, match=r"^fid is out of reach\.$"):
        run("fetch")
    assert requests == ["fvd", "fid", "lpips"]
    assert run("fetch", "lpips", "fvd-styleganv") == "lpips\nfvd-styleganv\n"
    with pytest.raises(BenchError, match="Did you mean 'lpips'"):
        run("fetch", "lpisp")


def test_what_is_at_hand_is_told_and_something_else_fails(run: Callable[..., str], folder: Path) -> None:
    assert run("verify").count("does not exist; get it with") == 4
    torch.save(I3D().state_dict(), folder / weights_catalog.FILES["fvd"].filename)
    with pytest.raises(BenchError, match="Some weights are not the published ones"):
        run("verify")


def test_numbers_are_printed_as_they_come_and_a_wrong_one_fails(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [NumberCheck("a", 1.00001, 1.0), NumberCheck("b", 2.0, 2.0)]
    monkeypatch.setattr(check_values, "verify_numbers", lambda: iter(checks))
    assert run("verify", "--numbers").splitlines()[-2:] == [
        "a: 1.00001, published 1.00000",
        "b: 2.00000, published 2.00000",
    ]
    checks.insert(0, NumberCheck("c", 1.1, 1.0))
    with pytest.raises(BenchError, match="c does not agree"):
        run("verify", "--numbers")
