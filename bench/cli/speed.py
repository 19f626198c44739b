"""`bench speed`: our code compared with a reference implementation or the usual package, interleaved in one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.registry import FAST, check_fast

if TYPE_CHECKING:
    from bench.speed.interleaved_timing import TimingComparison

speed_app = typer.Typer(help="Compare our code with a reference implementation on this machine.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; results/speed by default.")]


def finish(name: str, rows: list[Any], out: Path | None, as_json: bool) -> None:
    """Save the rows of a measurement and print them."""
    from bench.cli_options import print_json, show
    from bench.speed.interleaved_timing import FOLDER, keep

    path = keep(name, rows, out or FOLDER)
    if as_json:
        print_json(rows)
        return
    show([{key: f"{v:.3g}" if isinstance(v, float) else v for key, v in row.items()} for row in rows], False)
    print(f"Saved as {path}")


@speed_app.command("train")
def speed_train(
    model: Annotated[str, typer.Option(help="Names from `bench list models`, comma-separated; default: all.")] = "",
    resolution: Annotated[int, typer.Option("--resolution", "--size", help="Side of the frames in pixels.")] = 128,
    width: Annotated[int, typer.Option(help="Width of all networks.")] = 32,
    batch: Annotated[int, typer.Option("--batch-size", "--batch", help="Clips per step.")] = 4,
    steps: Annotated[int, typer.Option(help="Number of timed steps for each implementation.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="Precision of our implementation: auto, 32-true or bf16-mixed.")
    ] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile our implementation's networks with torch.compile.")
    ] = False,
    fast: Annotated[
        str,
        typer.Option(
            help=f"Faster training switches of our implementation: all, or some of {', '.join(FAST)}, comma-separated."
        ),
    ] = "",
    memory: Annotated[bool, typer.Option(help="Also measure peak memory.")] = True,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Time training steps and generation against a reference implementation of the same networks in float32."""
    from bench.cli_options import words
    from bench.speed.train import TrainingSpeedOptions, measure_training

    ways: tuple[str, ...] = check_fast(words(fast))
    if compiled and "graph" in ways:
        raise typer.BadParameter("graph does not work with --compile: leave one of them out.")
    setup = TrainingSpeedOptions(resolution, width, batch, steps, device, precision, compiled, ways, memory)
    rows: list[TimingComparison] = measure_training(words(model), setup)
    finish("train", rows, out, as_json)


@speed_app.command("data")
def speed_data(
    clips: Annotated[int, typer.Option(help="Number of clips to read.")] = 6,
    resolution: Annotated[int, typer.Option(help="Side of the training frames in pixels.")] = 128,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Time the packed cache against reading 640×360 JPEGs, on one core each."""
    from bench.speed.data import measure_data

    finish("data", measure_data(clips=clips, resolution=resolution), out, as_json)


@speed_app.command("metrics")
def speed_metrics(
    only: Annotated[str, typer.Option(help="Measurements to make, comma-separated; default: all.")] = "",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Time the metrics against the packages with which they are checked."""
    from bench.cli_options import words
    from bench.speed.metrics import measure

    finish("metrics", measure(tuple(words(only))), out, as_json)
