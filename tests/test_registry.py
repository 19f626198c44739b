from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.registry import DATASETS, FAST, METRICS, MODELS, Registry, check_fast


@pytest.mark.parametrize("registry", [MODELS, DATASETS, METRICS])
def test_every_name_can_be_loaded(registry: Registry) -> None:
    for name in registry:
        assert registry.load(name) is not None


def test_a_typo_gets_the_nearest_name() -> None:
    with pytest.raises(BenchError, match=r"There is no model 'mdgam'\. Did you mean 'mdgan'\?"):
        MODELS.load("mdgam")
    with pytest.raises(BenchError, match=r"There is no metric 'zzzz'\. Known: .*ssim"):
        METRICS.load("zzzz")


def test_a_taken_name_raises() -> None:
    registry = Registry("model", {"a": "x:y"})
    with pytest.raises(BenchError, match="'a' is already registered for x:y"):
        registry.add("a", "z:w")


def test_what_cannot_be_imported_is_named() -> None:
    registry = Registry("model", {"a": "no_such_module:y", "b": "bench.errors:nothing"})
    for name in "ab":
        with pytest.raises(BenchError, match=f"The model '{name}'"):
            registry.load(name)


def test_third_parties_add_theirs_by_entry_point(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plugins))
    registry = Registry("model", {"a": "x:y"})
    assert list(registry) == ["a", "tint"]
    assert registry.load("tint").rows == ("tint",)
    taken = Registry("model", {"tint": "x:y"})
    with pytest.raises(BenchError, match="already registered"):
        list(taken)


def test_metrics_of_features_have_a_name_before_their_own() -> None:
    metric = METRICS.load("vjepa.frechet")
    assert (metric.name, metric.label, metric.features_name) == ("vjepa.frechet", "vjepa Fréchet", "vjepa")
    assert METRICS.load("dino.frechet").name == "dino.frechet"
    assert METRICS.load("vjepa.frechet") is metric
    assert "vjepa.frechet" not in list(METRICS)
    with pytest.raises(BenchError, match=r"'vjepa\.frechet' needs features. Pass them to `bench score --features`"):
        METRICS.check("vjepa.frechet")


def test_faster_ways_have_an_order_and_all_is_all_of_them() -> None:
    assert check_fast(["stream", "gram", "gram"]) == ("gram", "stream")
    assert check_fast(["all"]) == FAST
    assert check_fast([]) == ()
    with pytest.raises(BenchError, match=r"no faster way 'grahp'\..*graph"):
        check_fast(["graph", "grahp"])
