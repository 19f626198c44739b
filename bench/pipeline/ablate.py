"""`bench ablate`: the whole model and its ablations, each variant as a run of its own, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.config import RunConfig
from bench.errors import BenchError, did_you_mean
from bench.interface import Options
from bench.pipeline.compare import compare
from bench.pipeline.run import run
from bench.registry import MODELS
from bench.report.tables.score_table import ScoreTable

#: The variant without a change.
WHOLE = "whole"


def ablations(model: str) -> Mapping[str, Options]:
    """The changes that a registered model defines, by name.

    Raises:
        BenchError: the model defines none.
    """
    known: Mapping[str, Options] = getattr(MODELS.load(model), "ablations", {})
    if not known:
        raise BenchError(f"The model '{model}' has no ablations: its class does not define `ablations`.")
    return known


def ablate(
    config: RunConfig, out: Path, only: tuple[str, ...] = (), *, offline: bool = False, jobs: int | None = 1
) -> ScoreTable:
    """Run the whole model and each of its ablations, and join the tables, with intervals.

    Every variant is an ordinary run in its own folder below `out`. To resume an interrupted command, repeat it. All
    variants have the same clips, seeds and steps. Only the run of the whole model includes the baseline.

    Args:
        config: configuration of the whole model, which is the only trained model in it.
        out: folder for the variants' folders and the joined table.
        only: names of ablations; all by default.
        offline: do not fetch missing weights.
        jobs: training runs in parallel, as for `bench.pipeline.run.run`.

    Raises:
        BenchError: the model does not define such an ablation, or a run raises an error.
    """
    name = config.models[0]
    known = ablations(name)
    for chosen in only:
        if chosen not in known:
            raise BenchError(f"The model '{name}' has no ablation '{chosen}'.{did_you_mean(chosen, known)}")
    variants: dict[str, Options] = {WHOLE: {}, **{key: known[key] for key in only or known}}
    folders = []
    for variant, change in variants.items():
        options = {**config.options, name: {**config.options.get(name, {}), **change}}
        models = config.models if variant == WHOLE else (name,)
        kept = {model: own for model, own in options.items() if model in models}
        folders.append(out / variant.replace(" ", "-").replace("'", ""))
        run(replace(config, models=models, options=kept), folders[-1], offline=offline, jobs=jobs)
    return compare(folders, out, ci=True)
