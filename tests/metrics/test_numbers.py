from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.metrics import numbers
from bench.metrics.networks import weights


def test_the_check_value_needs_the_published_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(BenchError, match="published weights"):
        numbers.verify_numbers()
    assert numbers.NumberCheck("FVD", 10.13812, numbers.FVD_CHECK_VALUE).agrees
    assert not numbers.NumberCheck("FVD", 10.2, numbers.FVD_CHECK_VALUE).agrees


@pytest.mark.slow
def test_the_published_check_value() -> None:
    found = weights.verify("fvd")
    if found.state != "published":
        pytest.skip(f"needs the published weights: {found.message}")
    check = numbers.verify_numbers()
    assert check.agrees, check
