"""What `bench list` prints."""

from __future__ import annotations

import importlib
from typing import Any

from bench.registry import DATASETS, METRICS, MODELS


def models() -> list[dict[str, Any]]:
    """Name, rows, sizes and place of every registered model."""
    found = []
    for name in MODELS:
        model = MODELS.load(name)
        sizes = ", ".join(map(str, model.resolutions)) or "any"
        summary = (model.__doc__ or "").strip().splitlines()[0]
        rows = ", ".join(model.rows)
        found.append({"name": name, "rows": rows, "sizes": sizes, "code": MODELS.target(name), "what": summary})
    return found


def datasets() -> list[dict[str, Any]]:
    """Name, place and description of every registered dataset."""
    found = []
    for name in DATASETS:
        module = importlib.import_module(DATASETS.target(name).partition(":")[0])
        summary = (module.__doc__ or "").strip().splitlines()[0]
        found.append({"name": name, "code": DATASETS.target(name), "what": summary})
    return found


def metrics() -> list[dict[str, Any]]:
    """Name, direction, range and definition of every registered metric."""
    found = []
    for name in METRICS:
        metric = METRICS.load(name)
        found.append({"name": name, "best": metric.direction, "range": metric.range, "definition": metric.definition})
    return found
