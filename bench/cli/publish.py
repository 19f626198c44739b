"""Subcommands that publish results: `bench release` and `bench push`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import Json, print_json, show
from bench.files import in_words
from bench.progress import console


def release(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished `bench run` or `bench train` commands.")],
    to: Annotated[Path, typer.Option(help="Folder for the checkpoints and their hashes.")],
    precision: Annotated[
        str, typer.Option(help="Precision of the weights in the files: float32 or float16.")
    ] = "float32",
    largest_mb: Annotated[float, typer.Option(min=0, help="Largest size of a file, in megabytes.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Make small checkpoints of finished training runs, for `bench generate`, each checked against the run's own."""
    from bench.pipeline.release import release as make

    made = make(runs, to, precision, round(largest_mb * 1e6))
    if as_json:
        print_json([vars(one) for one in made])
    else:
        show([{"file": to / one.file, "bytes": in_words(one.bytes), "sha256": one.sha256} for one in made], False)


def push(
    folder: Annotated[Path, typer.Argument(help="Results folder of `bench run` or `bench score`.")],
    to: Annotated[str, typer.Option(help="OWNER/NAME of a repository on Hugging Face; created if it does not exist.")],
    kind: Annotated[
        str, typer.Option(help="dataset or model; default: model if checkpoints are sent, else dataset.")
    ] = "",
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Also send checkpoints for generation.")] = False,
    with_clips: Annotated[
        bool,
        typer.Option(
            "--with-clips", help="Also send files that show frames of your data; only with their owner's permission."
        ),
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
    benchmark: Annotated[
        str,
        typer.Option(help="OWNER/NAME of a benchmark dataset on the hub; its leaderboards receive the numbers."),
    ] = "",
    by: Annotated[str, typer.Option(help="Author's name, as shown on the card.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, without a connection.")] = False,
    as_json: Json = False,
) -> None:
    """Upload a run's HTML report, tables and figures to a Hugging Face repository; HF_TOKEN must allow writing."""
    from bench.pipeline.publishable_files import PublishOptions, pack_up
    from bench.pipeline.push import Repository, check_benchmark
    from bench.pipeline.push import push as send

    repository = Repository(to, kind or ("model" if checkpoints else "dataset"), "public" if public else "private")
    if benchmark:
        check_benchmark(benchmark, repository)
    with tempfile.TemporaryDirectory() as staging:
        upload = pack_up(folder, Path(staging), PublishOptions(with_clips, checkpoints, by, benchmark))
        listed = [{"file": item.name, "bytes": item.size} for item in upload.items]
        total = sum(item.size for item in upload.items)
        address = "" if dry_run else send(upload, repository, f"Results of {folder.resolve().name}")
    if as_json:
        print_json({"address": address, "bytes": total, "files": listed, "held_back": upload.held_back})
        return
    if dry_run:
        show([{**line, "bytes": f"{line['bytes']:,}"} for line in listed], as_json=False)
    message = (
        f"{len(listed)} files, {in_words(total)}, {'would be sent to' if dry_run else 'are in'} the "
        f"{repository.kind} {to}."
    )
    console().print("\n".join([message, *upload.held_back]), markup=False, soft_wrap=True)
    if address:
        print(address)
