"""`bench ablate`: train a model with one change at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import (
    Clips,
    ConfigFile,
    DataRoot,
    DatasetName,
    Device,
    Jobs,
    Metrics,
    Offline,
    Preset,
    Seeds,
    SettingOverrides,
    Steps,
    configure,
    numbers,
    print_scores,
    words,
)
from bench.registry import DEFAULT_DATASET, DEFAULT_MODELS, SYNTHETIC


def ablate(
    model: Annotated[str, typer.Option(help="A name from `bench list models`.")] = DEFAULT_MODELS[0],
    only: Annotated[str, typer.Option(help="Names of its ablations, comma-separated; default: all.")] = "",
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    preset: Preset = "auto",
    out: Annotated[Path, typer.Option(help="Folder for the run folders of all variants and the joined table.")] = Path(
        "results/ablations"
    ),
    seeds: Seeds = "0,1,2",
    metrics: Metrics = "",
    clips: Clips = None,
    steps: Steps = None,
    device: Device = "auto",
    jobs: Jobs = None,
    config: ConfigFile = None,
    settings: SettingOverrides = None,
    offline: Offline = False,
) -> None:
    """Train a model unchanged and with one change at a time; one table, with intervals over training runs."""
    from bench.pipeline.ablate import ablate as run_ablations

    flags = {
        "dataset": dataset,
        "data_root": data_root,
        "seeds": numbers(seeds),
        "metrics": words(metrics) or None,
        "clips": clips,
        "steps": steps,
        "device": device,
    }
    chosen = configure([model], preset, config, settings or [], flags, baseline=True)
    print_scores(run_ablations(chosen, out, tuple(words(only)), offline=offline, jobs=jobs))
    print(f"Tables: {out}/table.csv, .tex, .md")
