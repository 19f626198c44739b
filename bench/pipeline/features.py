"""`--features`: features of third-party networks, from files of vectors or a TorchScript program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.metrics.feature_sources import FeatureSource, StoredFeatures
from bench.registry import METRICS
from bench.scoring.pairing import Row
from bench.scoring.scoring_plan import ScoringPlan

#: Suffixes of TorchScript files.
PROGRAMS = (".pt", ".pth", ".ts", ".torchscript")
EXPECTED = "expected NAME=FEATURES.npz:REAL.npz, or NAME=NETWORK.pt:LAYOUT,SIZE,VALUES"


def with_sources(plan: ScoringPlan, rows: Sequence[Row]) -> ScoringPlan:
    """A plan with the sources of its features, and with their metrics.

    Raises:
        BenchError: as for `feature_sources`, or stored vectors would be used for other clips or other frames.
    """
    sources = feature_sources(plan.features, rows)
    stored = [name for name, source in sources.items() if isinstance(source, StoredFeatures)]
    if stored and plan.choices.unpaired:
        raise BenchError(
            f"--features {stored[0]} has vectors by clip ID, but --unpaired compares windows that it draws. Give "
            "a TorchScript program, or leave --unpaired out."
        )
    if stored and (plan.horizon or plan.windows):
        raise BenchError(
            f"--features {stored[0]} has one vector for all frames, but --horizon and --windows use some of "
            "them. Give a TorchScript program, or leave them out."
        )
    return replace(plan, sources=sources, metrics=metrics_with(plan, sources))


def feature_sources(texts: Sequence[str], rows: Sequence[Row]) -> dict[str, FeatureSource]:
    """Sources by name, from texts `NAME=FEATURES.npz:REAL.npz` or `NAME=NETWORK.pt:LAYOUT,SIZE,VALUES`.

    If there are several rows, FEATURES.npz is a comma-separated list: one file for each of `rows`, in their order.

    Raises:
        BenchError: a text or a file that it names cannot be read, or a name is given twice.
    """
    sources: dict[str, FeatureSource] = {}
    for text in texts:
        source = _source(text, rows)
        if source.name in sources:
            raise BenchError(f"The features '{source.name}' are given twice. Give one of them another name.")
        sources[source.name] = source
    return sources


def _source(text: str, rows: Sequence[Row]) -> FeatureSource:
    name, _, files = text.partition("=")
    first, _, second = files.rpartition(":")
    if not first or not second:
        raise BenchError(f"--features is '{text}': {EXPECTED}.")
    if not METRICS.prefix(f"{name}.mmd"):
        raise BenchError(f"'{name}' cannot be a name of features: use letters, digits, _ and -, as in vjepa.")
    if first.endswith(PROGRAMS):
        from bench.metrics.scripted_network import NetworkInput, ScriptedNetwork

        return ScriptedNetwork(name, Path(first), NetworkInput.parse(second))
    paths = [Path(part) for part in first.split(",")]
    if len(paths) != len(rows):
        raise BenchError(
            f"--features {name} has {len(paths)} file{'s' if len(paths) > 1 else ''} for {len(rows)} methods: give one "
            "for each, in the order of the methods and separated by commas, before the colon."
        )
    of_rows = {(row.name, row.seed): path for row, path in zip(rows, paths, strict=True)}
    return StoredFeatures(name, of_rows, Path(second))


def metrics_with(plan: ScoringPlan, sources: Mapping[str, FeatureSource]) -> tuple[str, ...]:
    """The metrics to compute: the primary one; the named or default ones; for each source, the named ones or all."""
    named_metrics = [*plan.metrics, *filter(None, [plan.primary])]
    chosen = [name if METRICS.prefix(name) else METRICS.check(name) for name in named_metrics]
    metrics = chosen if plan.metrics else [*METRICS.defaults(), *chosen]
    named = {METRICS.prefix(name) for name in chosen}
    added = [f"{source}.{member}" for source in sources if source not in named for member in METRICS.families]
    return tuple(dict.fromkeys([*metrics, *added]))
