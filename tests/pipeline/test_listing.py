from __future__ import annotations

import sys
from types import ModuleType

import pytest

from baselines.copy_first import CopyFirst
from bench.errors import BenchError
from bench.pipeline import listing as catalogue
from bench.registry import DATASETS, METRICS, MODELS


def test_everything_registered_is_listed_with_what_it_is() -> None:
    for rows, registry in (
        (catalogue.models(), [*MODELS]),
        (catalogue.datasets(), [*DATASETS]),
        (catalogue.metrics(), [*METRICS, *(f"FEATURES.{member}" for member in METRICS.families)]),
    ):
        assert [row["name"] for row in rows] == registry
        for row in rows:
            assert all(str(value).strip() for value in row.values()), row


def test_a_plug_in_needs_no_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ModuleType("plain_plug_in")
    plain.Model = type("Model", (CopyFirst,), {"__doc__": " "})  # type: ignore[attr-defined]
    plain.index = lambda root: []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plain_plug_in", plain)
    for registry, attribute, rows in ((MODELS, "Model", catalogue.models), (DATASETS, "index", catalogue.datasets)):
        monkeypatch.setattr(registry, "_targets", registry._targets | {"plain": f"plain_plug_in:{attribute}"})
        assert rows()[-1]["what"] == "(not described)"
    monkeypatch.setattr(DATASETS, "_targets", {"gone": "no_such_plug_in:index"})
    with pytest.raises(BenchError, match="cannot be imported"):
        catalogue.datasets()
