"""The `bench` command: one function a verb, no logic. Results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable

# Before PyTorch is imported: threads that wait for each other sleep instead of spinning. The results are the same; on a
# machine that does something else beside, training is more than twice as fast.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from bench.config import SYNTHETIC, RunConfig, apply_settings, make_config, read_config
from bench.errors import BenchError
from bench.progress import console

app = typer.Typer(
    help="Train, score and compare time-lapse video generators: one number, one meaning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Make, check and pack datasets.", no_args_is_help=True)
list_app = typer.Typer(help="What can be named on the command line.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(list_app, name="list")

Dataset = Annotated[str, typer.Option(help="A name from `bench list datasets`.")]
DataRoot = Annotated[str, typer.Option(help="The dataset's folder, or 'synthetic' for the embedded scenes.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Metrics = Annotated[str, typer.Option(help="Names from `bench list metrics`, with commas; all of them by default.")]
Frames = Annotated[str, typer.Option(help="Scored frames: 'all' 32, or 'future' without the given first one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Resolution = Annotated[int | None, typer.Option(help="Side of the scored frames in pixels.")]
Clips = Annotated[int | None, typer.Option(help="Score so many test clips, chosen by the hash of their id.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="key=value, as in options.mdgan.width=16.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with configuration keys.")]
Preset = Annotated[str, typer.Option(help="smoke, small or paper; 'auto' is smoke on a CPU, small on a GPU.")]
Seeds = Annotated[str, typer.Option(help="Training seeds, with commas.")]
Steps = Annotated[int | None, typer.Option(help="Training steps of each stage.")]
Batch = Annotated[int | None, typer.Option("--batch-size", help="Clips in a training step.")]


def words(text: str) -> list[str]:
    """Split a list given with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[int]:
    """Split a list of whole numbers given with commas."""
    try:
        return [int(word) for word in words(text)]
    except ValueError as error:
        raise BenchError(f"'{text}' is no list of whole numbers: expected something like 0,1,2.") from error


def print_json(value: Any) -> None:
    """Print a result for machines."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(table: RichTable) -> None:
    """Print a result for people, wide enough for all its columns where nobody's terminal sets a width."""
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def configure(
    models: Sequence[str],
    preset: str,
    config: Path | None,
    settings: Sequence[str],
    given: Mapping[str, Any],
    *,
    baseline: bool,
) -> RunConfig:
    """Lay flags over a configuration file over a preset."""
    from bench.train import pick_device

    values: dict[str, Any] = read_config(config) if config else {}
    values |= {key: value for key, value in given.items() if value is not None}
    if models:
        values["models"] = list(models)
    values = apply_settings(values, settings)
    values.setdefault("models", ["mdgan", "vgan", "rnngan"])
    if preset != "auto" or "preset" not in values:
        fits = "small" if pick_device(values.get("device", "auto")) == "cuda" else "smoke"
        values["preset"] = fits if preset == "auto" else preset
    return make_config(values, baseline=baseline)


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
    as_json: Json = False,
) -> None:
    """Train, generate, score and report; the same command again goes on where it stopped."""
    from bench.data.embedded import dataset_title
    from bench.report.tables import to_rich
    from bench.run import run as run_pipeline
    from bench.scores import read_summary

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
    folder = out or Path("results") / f"{dataset_title(chosen.dataset, chosen.data_root)}-{chosen.preset}"
    table = run_pipeline(chosen, folder)
    if as_json:
        print_json([vars(line) for line in read_summary(folder)])
    else:
        print_table(to_rich(table))
        print(f"Tables: {folder}/table.csv, .tex, .md   Figures: {folder}/figures   Page: {folder}/report.html")


@app.command()
def train(
    model: Annotated[str, typer.Option(help="A name from `bench list models`.")],
    out: Out,
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    preset: Preset = "auto",
    resolution: Resolution = None,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    steps: Steps = None,
    batch: Batch = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Train one model; leaves OUT/model.pt, resumable checkpoints and logs."""
    from bench.steps import train_alone

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
    checkpoint: Annotated[Path, typer.Option(help="The model.pt of a finished training.")],
    out: Annotated[Path, typer.Option(help="Folder; each row's videos go into one below it.")],
    model: Annotated[str | None, typer.Option(help="The model it has to be of.")] = None,
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(help="Size of the synthetic scenes, where those are continued.")] = 64,
    device: Device = "auto",
) -> None:
    """Continue the first frames of the test clips with a trained model."""
    from bench.steps import generate_alone

    for folder in generate_alone(checkpoint, model, dataset, data_root, resolution, out, device):
        print(folder)


@app.command()
def score(
    predictions: Annotated[
        list[str], typer.Argument(help="Folders named by row, or NAME=FOLDER; videos named by clip id.")
    ],
    out: Out,
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(help="Both sides are brought to this size.")] = 128,
    metrics: Metrics = "",
    frames: Frames = "all",
    clips: Clips = None,
    allow_partial: Annotated[bool, typer.Option(help="Score what there is; stamped on every table.")] = False,
    workers: Annotated[int | None, typer.Option(help="Threads that decode; no number depends on it.")] = None,
    as_json: Json = False,
) -> None:
    """Score anybody's videos against the real test clips."""
    from bench.report.tables import to_rich
    from bench.scores import read_summary
    from bench.steps import score_folders

    table = score_folders(
        predictions,
        out,
        dataset=dataset,
        data_root=data_root,
        resolution=resolution,
        metrics=words(metrics),
        frames=frames,
        count=clips,
        allow_partial=allow_partial,
        workers=workers,
    )
    if as_json:
        print_json([vars(line) for line in read_summary(out)])
    else:
        print_table(to_rich(table))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder that `bench run` or `bench score` has filled.")],
) -> None:
    """Make tables, figures and the page again from the stored scores."""
    from bench.report.make import report as make_report
    from bench.report.tables import to_rich

    print_table(to_rich(make_report(folder)))
    print(f"{folder / 'report.html'}")


@app.command()
def doctor(
    data: Annotated[list[str] | None, typer.Option(help="Look at this data too, as in sky=FOLDER.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is installed, what is found, what is missing and how to get it."""
    from bench.doctor import examine

    roots = [(name or "sky", Path(folder)) for name, _, folder in (text.rpartition("=") for text in data or [])]
    checks = examine(roots)
    if as_json:
        print_json([vars(check) for check in checks])
    else:
        table = RichTable(box=None, show_header=False)
        for check in checks:
            table.add_row(check.what, "ok" if check.state == "ok" else "[bold]missing[/bold]", check.detail)
        print_table(table)


@data_app.command("make")
def data_make(
    scene: Annotated[str, typer.Argument(help="sky or beach.")],
    out: Annotated[Path, typer.Argument(help="Folder to make; it must not hold anything yet.")],
    size: Annotated[int, typer.Option(help="64 or 128 pixels.")] = 64,
    train_videos: Annotated[int, typer.Option(help="Source videos for training.")] = 24,
    test_videos: Annotated[int, typer.Option(help="Source videos for testing.")] = 8,
    clips_per_video: Annotated[int, typer.Option(help="Clips of 32 frames in each video.")] = 2,
    seed: Annotated[int, typer.Option(help="Another seed gives other scenes.")] = 0,
) -> None:
    """Write synthetic scenes in a real dataset's layout."""
    from bench.data.embedded import make

    videos = {"train_videos": train_videos, "test_videos": test_videos, "clips_per_video": clips_per_video}
    make(scene, out, size=size, seed=seed, **videos)
    print(out)


@data_app.command("verify")
def data_verify(dataset: Dataset = "sky", data_root: DataRoot = SYNTHETIC, as_json: Json = False) -> None:
    """Decode a whole dataset and say what is wrong with it, file by file."""
    from bench.data.embedded import find_data
    from bench.data.verify import verify

    found = verify(dataset, find_data(dataset, data_root, 64))
    if as_json:
        print_json({"clips": found.clips, "videos": found.videos, "findings": [vars(f) for f in found.findings]})
    else:
        for finding in found.findings:
            print(f"{finding.kind}: {finding.text}")
        for split, clips in found.clips.items():
            print(f"{split}: {clips} clips of {found.videos[split]} source videos")
    if not found.ok:
        raise BenchError(f"The {dataset} dataset in {data_root} has errors: mend or remove the files named above.")


@data_app.command("sheet")
def data_sheet(
    out: Annotated[Path, typer.Argument(help="The PNG to write.")],
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(help="Side of the frames in pixels.")] = 128,
    clips: Annotated[int, typer.Option(help="How many clips, each of another video while there are any.")] = 12,
) -> None:
    """Draw frames 1, 8, 16, 24, 32 of some test clips, to see what the data look like."""
    from bench.report.make import sheet

    sheet(dataset, data_root, resolution, clips, out)
    print(out)


@data_app.command("pack")
def data_pack(
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(help="Side of the training frames in pixels.")] = 64,
    workers: Annotated[int | None, typer.Option(help="Decoding threads; one a core by default.")] = None,
) -> None:
    """Build the training cache of a dataset now; training builds it by itself otherwise."""
    from bench.steps import pack_data

    for path in pack_data(dataset, data_root, resolution, workers):
        print(path)


@list_app.command("models")
def list_models(as_json: Json = False) -> None:
    """Models, their result rows and sizes."""
    from bench.catalogue import models

    show(models(), as_json)


@list_app.command("datasets")
def list_datasets(as_json: Json = False) -> None:
    """Datasets and where their readers live."""
    from bench.catalogue import datasets

    show(datasets(), as_json)


@list_app.command("metrics")
def list_metrics(as_json: Json = False) -> None:
    """Metrics, their direction, range and definition."""
    from bench.catalogue import metrics

    show(metrics(), as_json)


def show(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows of equal keys."""
    if as_json:
        print_json(rows)
        return
    table = RichTable(box=None, header_style="italic")
    for key in rows[0]:
        table.add_column(key)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    print_table(table)


def main() -> None:
    """Run the command; every expected failure is one sentence on stderr and exit status 1."""
    try:
        app()
    except BenchError as error:
        console().print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console().print("bench: stopped; the same command goes on from here.", markup=False)
        sys.exit(130)


if __name__ == "__main__":
    main()
