"""The `bench` command: one function a verb, no logic. Results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import io
import os
import sys
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

# Before PyTorch is imported: threads that wait for each other sleep instead of spinning. The results are the same; on a
# machine that does something else beside, training is more than twice as fast.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from bench.cli.ablate import ablate
from bench.cli.data import data_app
from bench.cli.lists import list_app
from bench.cli.speed import speed_app
from bench.cli.weights import weights_app
from bench.errors import BenchError
from bench.files import disk_error
from bench.options import (
    Batch,
    Ci,
    Clips,
    ConfigFile,
    DataRoot,
    Dataset,
    Device,
    Frames,
    Json,
    Metrics,
    Offline,
    Out,
    Preset,
    Resolution,
    Seeds,
    Settings,
    Steps,
    Workers,
    configure,
    numbers,
    print_json,
    print_scores,
    show,
    words,
)
from bench.progress import console
from bench.registry import COMMANDS, DEFAULT_DATASET, SYNTHETIC

app = typer.Typer(
    help="Train, score and compare time-lapse video generators: one number, one meaning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ablate)
app.add_typer(data_app, name="data")
app.add_typer(list_app, name="list")
app.add_typer(speed_app, name="speed")
app.add_typer(weights_app, name="weights")


@app.command()
def run(
    models: Annotated[str, typer.Option(help="Names from `bench list models`, with commas.")] = "",
    dataset: Annotated[str | None, typer.Option(help="A name from `bench list datasets`; sky by default.")] = None,
    data_root: Annotated[str | None, typer.Option(help="The dataset's folder; synthetic scenes by default.")] = None,
    preset: Preset = "auto",
    out: Annotated[Path | None, typer.Option(help="Run folder; results/<dataset>-<preset> by default.")] = None,
    resolution: Resolution = None,
    frames: Annotated[str | None, typer.Option(help="Scored frames: all or future.")] = None,
    metrics: Metrics = "",
    clips: Clips = None,
    seeds: Seeds = "",
    steps: Steps = None,
    batch: Batch = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    config: ConfigFile = None,
    settings: Settings = None,
    baseline: Annotated[bool, typer.Option(help="Add the copy baseline to the table.")] = True,
    ci: Ci = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Train, generate, score and report; the same command again goes on where it stopped."""
    from bench.pipeline.run import data_of
    from bench.pipeline.run import run as run_pipeline
    from bench.scoring.tidy import read_summary

    given = {
        "dataset": dataset,
        "data_root": data_root,
        "resolution": resolution,
        "frames": frames,
        "metrics": words(metrics) or None,
        "clips": clips,
        "seeds": numbers(seeds) or None,
        "steps": steps,
        "batch": batch,
        "device": device,
    }
    chosen = configure(words(models), preset, config, settings or [], given, baseline=baseline)
    folder = out or Path("results") / f"{data_of(chosen).title}-{chosen.preset}"
    table = run_pipeline(chosen, folder, offline=offline, ci=ci)
    if as_json:
        print_json([vars(line) for line in read_summary(folder)])
    else:
        print_scores(table)
        print(f"Tables: {folder}/table.csv, .tex, .md   Figures: {folder}/figures   Page: {folder}/report.html")


@app.command()
def train(
    model: Annotated[str, typer.Option(help="A name from `bench list models`.")],
    out: Out,
    dataset: Dataset = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    preset: Preset = "auto",
    resolution: Resolution = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 0,
    steps: Steps = None,
    batch: Batch = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Train one model; leaves OUT/model.pt, resumable checkpoints and logs."""
    from bench.pipeline.steps import train_alone

    given = {
        "dataset": dataset,
        "data_root": data_root,
        "resolution": resolution,
        "seeds": [seed],
        "steps": steps,
        "batch": batch,
        "device": device,
    }
    chosen = configure([model], preset, config, settings or [], given, baseline=False)
    print(train_alone(chosen, out))


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="Folder; each row's videos go into one below it.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The model.pt of a finished training.")] = None,
    model: Annotated[str | None, typer.Option(help="The model it has to be of.")] = None,
    published_s1: Annotated[Path | None, typer.Option(help="Or its authors' Stage I checkpoint,")] = None,
    published_s2: Annotated[Path | None, typer.Option(help="and their Stage II checkpoint.")] = None,
    batch_norm: Annotated[str, typer.Option(help="Theirs: running, or batch as the authors.")] = "running",
    dataset: Dataset = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[
        int, typer.Option(min=1, help="Size of the synthetic scenes, where those are continued.")
    ] = 64,
    device: Device = "auto",
) -> None:
    """Continue the first frames of the test clips with a trained model."""
    from bench.data.dataset import Dataset as Data
    from bench.engine.generate import Published, Trained
    from bench.pipeline.steps import generate_alone

    source: Trained | Published
    if published_s1 or published_s2:
        if checkpoint:
            raise BenchError("Give --checkpoint, or --published-s1 and --published-s2, not both.")
        if model is None or published_s1 is None or published_s2 is None:
            raise BenchError("Published checkpoints need --model, --published-s1 and --published-s2.")
        source = Published(model, published_s1, published_s2, batch_norm)
    elif checkpoint:
        source = Trained(checkpoint, model)
    else:
        raise BenchError("Give --checkpoint with the model.pt of a training, or --published-s1 and --published-s2.")
    for folder in generate_alone(source, Data(dataset, data_root), resolution, out, device):
        print(folder)


@app.command()
def score(
    predictions: Annotated[
        list[str], typer.Argument(help="Folders named by row, or NAME=FOLDER; videos named by clip id.")
    ],
    out: Out,
    dataset: Dataset = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(min=1, help="Both sides are brought to this size.")] = 128,
    metrics: Metrics = "",
    frames: Frames = "all",
    clips: Clips = None,
    clip_length: Annotated[int, typer.Option(min=0, help="Look at so many frames of each clip; all by default.")] = 0,
    sampling: Annotated[str, typer.Option(help="Which frames those are: first, or random by the clip's id.")] = "first",
    allow_partial: Annotated[bool, typer.Option(help="Score what there is; stamped on every table.")] = False,
    reference: Annotated[Path | None, typer.Option(help="A folder of videos in place of a dataset.")] = None,
    workers: Workers = None,
    ci: Ci = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Score anybody's videos against the real test clips, or against another folder."""
    from bench.data.dataset import Dataset as Data
    from bench.pipeline.folders import score_folders
    from bench.scoring.plan import ScoringPlan
    from bench.scoring.tidy import read_summary

    plan = ScoringPlan(
        resolution=resolution,
        metrics=words(metrics),
        frames=frames,
        count=clips,
        allow_partial=allow_partial,
        workers=workers,
        offline=offline,
        clip_length=clip_length,
        sampling=sampling,
    )
    table = score_folders(predictions, out, plan, dataset=Data(dataset, data_root), reference=reference, ci=ci)
    if as_json:
        print_json([vars(line) for line in read_summary(out)])
    else:
        print_scores(table)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder that `bench run` or `bench score` has filled.")],
    study: Annotated[
        Path | None, typer.Option(help="A folder that `bench study export` wrote; FOLDER/study by default.")
    ] = None,
    ci: Ci = False,
    as_json: Json = False,
) -> None:
    """Make tables, figures and the page again from the stored scores, with a study's results where there is one."""
    from bench.report.make import report as make_report
    from bench.scoring.tidy import read_summary

    table = make_report(folder, ci, study)
    if as_json:
        print_json([vars(line) for line in read_summary(folder)])
    else:
        print_scores(table)
        print(f"{folder / 'report.html'}")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Two or more folders that run or score has filled.")],
    out: Annotated[Path | None, typer.Option(help="Write the joined tables there.")] = None,
    ci: Ci = False,
    as_json: Json = False,
) -> None:
    """Join runs into one table; refused, with what differs, where their numbers do not mean the same."""
    from bench.pipeline.compare import compare as compare_runs

    table = compare_runs(folders, out, ci)
    if as_json:
        lines = zip(table.rows, table.cells, strict=True)
        print_json(
            [{"row": row} | {h: c.whole for h, c in zip(table.heads, cells, strict=True)} for row, cells in lines]
        )
    else:
        print_scores(table)


@app.command()
def doctor(
    data: Annotated[list[str] | None, typer.Option(help="Look at this data too, as in sky=FOLDER.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is installed, what is found, what is missing and how to get it."""
    from bench.pipeline.doctor import examine

    roots = [
        (name or DEFAULT_DATASET, Path(folder)) for name, _, folder in (text.rpartition("=") for text in data or [])
    ]
    checks = examine(roots)
    show([vars(check) for check in checks], as_json, heads=False)


@cache
def mount_commands() -> None:
    """Add the verbs that live outside of `bench` (`bench.registry.COMMANDS`)."""
    for name in COMMANDS:
        command = COMMANDS.load(name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


def _run_app() -> None:
    try:
        app()
    except OSError as error:  # from a place that does not know better what was being written
        raise disk_error(error, error.filename or "the result") from error


def main() -> None:
    """Run the command; every expected failure is one sentence on stderr and exit status 1."""
    if os.environ.get("RANK", "0") != "0":  # one of several processes prints the results
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for as long as the process lives)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a table must come out, whatever the pipe it goes into can carry
            stream.reconfigure(errors="replace")
    mount_commands()
    try:
        _run_app()
    except BenchError as error:
        console().print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console().print("bench: stopped; the same command goes on from here.", markup=False)
        sys.exit(130)
