"""The listings that `bench list` prints."""

from __future__ import annotations

import importlib
from typing import Any

from bench.registry import DATASETS, METRICS, MODELS


def summary(described: object) -> str:
    """The first line of a docstring; plug-ins may have none."""
    lines = (described.__doc__ or "").strip().splitlines()
    return lines[0] if lines else "(not described)"


def models() -> list[dict[str, Any]]:
    """Name, rows, sizes and code location of every registered model."""
    listed = []
    for name in MODELS:
        model = MODELS.load(name)
        sizes = ", ".join(map(str, model.resolutions)) or "any"
        rows = ", ".join(model.rows)
        listed.append({"name": name, "rows": rows, "sizes": sizes, "code": MODELS.target(name), "what": summary(model)})
    return listed


def datasets() -> list[dict[str, Any]]:
    """Name, code location and description of every registered dataset."""
    rows = []
    for name in DATASETS:
        DATASETS.load(name)  # raises an error that explains why a plug-in cannot be imported
        module = importlib.import_module(DATASETS.target(name).partition(":")[0])
        rows.append({"name": name, "code": DATASETS.target(name), "what": summary(module)})
    return rows


def metrics() -> list[dict[str, Any]]:
    """Name, direction, range and definition of every registered metric."""
    rows = []
    for name in [*METRICS, *(f"FEATURES.{member}" for member in METRICS.families)]:
        metric = METRICS.load(name)
        rows.append({"name": name, "best": metric.direction, "range": metric.range, "definition": metric.definition})
    return rows


def weights() -> list[dict[str, Any]]:
    """Name, purpose, state and file of every known weights file."""
    from bench.metrics.networks.weights_catalog import FILES, verify

    rows = []
    for name, file in FILES.items():
        state = verify(name)
        rows.append({"name": name, "for": file.purpose, "state": state.state, "file": str(state.path)})
    return rows
