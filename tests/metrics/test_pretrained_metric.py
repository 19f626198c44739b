from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.metrics import pretrained_metric
from bench.metrics.fid import FID
from bench.metrics.fvd import FVD, PortedFVD
from bench.metrics.kvd import KVD
from bench.metrics.lpips import LPIPS
from bench.metrics.networks import weights_catalog
from bench.metrics.pretrained_metric import PretrainedMetric
from bench.scoring.scoring_plan import ScoringPlan, load_metrics


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No weights are at hand."""
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def fetched(empty: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for; it comes at once, but for FID's, which cannot be had."""
    requests: list[str] = []

    def fetch(name: str) -> None:
        requests.append(name)
        if name == "fid":
            raise BenchError("no connection")
        (empty / weights_catalog.FILES[name].filename).write_bytes(b"weights")

    monkeypatch.setattr(pretrained_metric, "fetch", fetch)
    return requests


@pytest.mark.parametrize("metric", [FVD, KVD, FID, LPIPS])
def test_a_metric_says_which_weights_it_lacks_and_what_gets_them(metric: type[PretrainedMetric]) -> None:
    reason = metric().unavailable()
    assert reason is not None
    assert reason.command == f"bench weights fetch {metric.weights[0]}"
    assert weights_catalog.FILES[metric.weights[0]].filename in reason.reason
    with pytest.raises(BenchError, match=reason.command):
        metric().weights_path()


def test_what_is_missing_is_fetched_once_and_what_the_user_named_never(fetched: list[str], tmp_path: Path) -> None:
    assert LPIPS().obtain() is None
    assert LPIPS().obtain() is None
    assert fetched == ["lpips"]
    assert LPIPS(tmp_path / "mine.pth").obtain() is not None
    assert fetched == ["lpips"]


def test_the_other_export_of_a_network_is_as_good(empty: Path, fetched: list[str]) -> None:
    other = empty / weights_catalog.FILES["fvd-styleganv"].filename
    other.write_bytes(b"weights")
    assert FVD().path() == KVD().path() == other
    assert FVD().obtain() is None
    assert fetched == []
    assert PortedFVD().path() is None  # the export computes with the original's epsilon


def test_scoring_fetches_what_it_may_and_leaves_the_rest_out(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("mse", "lpips", "fid")
    metrics, left_out = load_metrics(ScoringPlan(64, names, offline=True), 20)
    assert ([m.name for m in metrics], [r.metric for r in left_out]) == (["mse"], ["lpips", "fid"])
    assert fetched == []
    monkeypatch.setenv("BENCH_OFFLINE", "0")
    metrics, left_out = load_metrics(ScoringPlan(64, names), 20)
    assert ([m.name for m in metrics], [r.metric for r in left_out]) == (["mse", "lpips"], ["fid"])
    assert fetched == ["lpips", "fid"]
    assert "fid: no connection" in capsys.readouterr().err
