from __future__ import annotations

from pathlib import Path

import pytest

from bench.metrics.base import Unavailable
from bench.metrics.ssim import SSIM
from bench.pipeline.doctor import examine


def test_what_is_there_and_what_is_missing(sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = Unavailable("ssim", "its weights are not here", "bench weights fetch ssim")
    monkeypatch.setattr(SSIM, "unavailable", lambda _: reason)
    checks = {check.what: check for check in examine([("sky", sky), ("beach", sky)])}
    assert checks["torch"].state == "ok"
    assert checks["dataset sky"].state == "ok"
    assert "3 train, 1 val, 2 test clips" in checks["dataset sky"].detail
    assert checks["dataset beach"].state == "missing"
    assert "frames-stable-many" in checks["dataset beach"].detail
    assert checks["metric mse"].state == "ok"
    assert (checks["metric ssim"].state, checks["metric ssim"].detail) == ("missing", str(reason))
    assert "GB free" in checks["cache"].detail
