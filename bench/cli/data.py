"""`bench data`: fetch, make, check and pack datasets, and clean the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import ClipFrames, DataRoot, DatasetName, Json, Workers, print_json, show, words
from bench.errors import BenchError
from bench.files import in_words
from bench.registry import DEFAULT_DATASET, SYNTHETIC

data_app = typer.Typer(help="Fetch, make, check and pack datasets.", no_args_is_help=True)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="sky or beach.")],
    out: Annotated[Path, typer.Argument(help="Folder to create; it gets this name once it is complete.")],
    archive: Annotated[Path | None, typer.Option(help="Archive to unpack, if you already have it.")] = None,
    url: Annotated[str, typer.Option("--from", help="URL of the archive, in place of the published one.")] = "",
    sha256: Annotated[str, typer.Option(help="Expected SHA-256 of the archive.")] = "",
    keep_archive: Annotated[bool, typer.Option("--keep-archive", help="Keep the archive next to the folder.")] = False,
) -> None:
    """Download a published dataset, check it and unpack it; to resume, repeat the command."""
    from bench.pipeline.fetch_dataset import FetchOptions, fetch

    print(fetch(name, out, FetchOptions(archive, url, sha256, keep_archive)))


@data_app.command("make")
def data_make(
    scene: Annotated[str, typer.Argument(help="sky or beach.")],
    out: Annotated[Path, typer.Argument(help="Folder to create; it must be empty or absent.")],
    size: Annotated[int, typer.Option("--size", "--resolution", help="64 or 128 pixels.")] = 64,
    train_videos: Annotated[int, typer.Option(help="Number of source videos for training.")] = 24,
    test_videos: Annotated[int, typer.Option(help="Number of source videos for testing.")] = 8,
    clips_per_video: Annotated[int, typer.Option(help="Number of 32-frame clips per video.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
) -> None:
    """Write the synthetic dataset in a real dataset's layout."""
    from bench.data.synthetic.generate import make

    videos = {"train_videos": train_videos, "test_videos": test_videos, "clips_per_video": clips_per_video}
    make(scene, out, size=size, seed=seed, **videos)
    print(out)


@data_app.command("verify")
def data_verify(
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    clip_frames: ClipFrames = None,
    as_json: Json = False,
) -> None:
    """Decode a whole dataset and list its faults, file by file."""
    from bench.data.clips import FRAMES
    from bench.data.dataset import Dataset
    from bench.data.verify import verify

    found = verify(dataset, Dataset(dataset, data_root).folder(64), clip_frames or FRAMES)
    if as_json:
        print_json({"clips": found.clips, "videos": found.videos, "findings": [vars(f) for f in found.findings]})
    else:
        for finding in found.findings:
            print(f"{finding.kind}: {finding.text}")
        for split, clips in found.clips.items():
            print(f"{split}: {clips} clips of {found.videos[split]} source videos")
    if not found.ok:
        raise BenchError(f"The {dataset} dataset in {data_root} has errors. Fix or remove the files listed above.")


@data_app.command("sheet")
def data_sheet(
    out: Annotated[Path, typer.Argument(help="PNG file to write.")],
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the frames in pixels.")] = 128,
    clips: Annotated[
        int, typer.Option(min=1, help="Number of clips, each from a different video where possible.")
    ] = 12,
    clip_frames: ClipFrames = None,
) -> None:
    """Draw frames 1, 8, 16, 24, 32 of some test clips, to see what the data look like."""
    from bench.data.clips import FRAMES
    from bench.data.dataset import Dataset
    from bench.report.build_report import sheet

    sheet(Dataset(dataset, data_root, clip_frames or FRAMES), resolution, clips, out)
    print(out)


@data_app.command("pack")
def data_pack(
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the training frames in pixels.")] = 64,
    workers: Workers = None,
) -> None:
    """Build the training cache of a dataset now; otherwise, the first training run builds it."""
    from bench.data.dataset import Dataset
    from bench.pipeline.single_steps import pack_data

    for path in pack_data(Dataset(dataset, data_root), resolution, workers):
        print(path)


@data_app.command("clean")
def data_clean(
    remove: Annotated[
        str, typer.Option(help="What to remove, comma-separated: packs, features, unzipped, synthetic.")
    ] = "",
    as_json: Json = False,
) -> None:
    """List the content of the cache, or remove some of it; it is rebuilt when needed."""
    from bench.pipeline.cache import cached, clean

    found = clean(words(remove)) if remove else cached()
    if as_json:
        print_json([vars(one) for one in found])
    else:
        show([{**vars(one), "bytes": in_words(one.bytes)} for one in found], as_json=False, heads=False)
