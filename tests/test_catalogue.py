from __future__ import annotations

from bench import catalogue
from bench.registry import DATASETS, METRICS, MODELS


def test_everything_registered_is_listed_with_what_it_is() -> None:
    for rows, registry in (
        (catalogue.models(), MODELS),
        (catalogue.datasets(), DATASETS),
        (catalogue.metrics(), METRICS),
    ):
        assert [row["name"] for row in rows] == list(registry)
        for row in rows:
            assert all(str(value).strip() for value in row.values()), row
