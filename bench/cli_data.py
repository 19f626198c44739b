"""The verbs below `bench data`, `bench list` and `bench weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import DataRoot, Dataset, Json, Offline, Workers, print_json, show
from bench.config import SYNTHETIC
from bench.errors import BenchError

data_app = typer.Typer(help="Make, check and pack datasets.", no_args_is_help=True)
weights_app = typer.Typer(help="Weights of the networks behind FVD, FID and LPIPS.", no_args_is_help=True)
list_app = typer.Typer(help="What can be named on the command line.", no_args_is_help=True)


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
    resolution: Annotated[int, typer.Option(min=1, help="Side of the frames in pixels.")] = 128,
    clips: Annotated[int, typer.Option(min=1, help="How many clips, each of another video while there are any.")] = 12,
) -> None:
    """Draw frames 1, 8, 16, 24, 32 of some test clips, to see what the data look like."""
    from bench.report.make import sheet

    sheet(dataset, data_root, resolution, clips, out)
    print(out)


@data_app.command("pack")
def data_pack(
    dataset: Dataset = "sky",
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the training frames in pixels.")] = 64,
    workers: Workers = None,
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


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """Which weights there are, what for, and whether they are at hand."""
    from bench.catalogue import weights

    show(weights(), as_json)


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `bench weights list`; all by default.")] = None,
    offline: Offline = False,
) -> None:
    """Download published weights, checked against the hash of their publisher."""
    from bench.metrics.weights import FILES, fetch

    for name in names or [name for name in FILES if name != "fvd-styleganv"]:
        print(fetch(name, offline))


@weights_app.command("verify")
def weights_verify(
    numbers: Annotated[bool, typer.Option("--numbers", help="Compute the published check value of FVD too.")] = False,
) -> None:
    """Check the weights at hand against their publishers' hashes."""
    from bench.metrics.weights import FILES, verify, verify_numbers

    found = [verify(name) for name in FILES]
    for verification in found:
        print(verification.message)
    if any(verification.state == "other" for verification in found):
        raise BenchError("Some weights are not the published ones: see above.")
    if numbers:
        check = verify_numbers()
        print(f"{check.what}: {check.value:.4f}, published {check.published:.4f}")
        if not check.agrees:
            raise BenchError(f"{check.what} does not agree with the published value.")
