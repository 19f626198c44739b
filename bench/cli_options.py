"""Shared parts of the subcommands: options, the configuration made from them, and printing of results."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.config import RunConfig, apply_settings, check_values, make_config, read_config
from bench.errors import BenchError
from bench.files import plain
from bench.registry import DEFAULT_MODELS, SYNTHETIC

if TYPE_CHECKING:
    from bench.report.tables.printed_table import Grid
    from bench.report.tables.score_table import ScoreTable

DatasetName = Annotated[str, typer.Option(help="A name from `bench list datasets`.")]
DataRoot = Annotated[str, typer.Option(help="The dataset's folder, or 'synthetic' for the synthetic dataset.")]
ClipFrames = Annotated[
    int | None,
    typer.Option(min=1, help="Frames per clip; the dataset's videos are cut into clips of this length. Default: 32."),
]
ScoringRoot = Annotated[str | None, typer.Option(help="The folder of the dataset to score against, or 'synthetic'.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Metrics = Annotated[
    str,
    typer.Option(
        help="Names from `bench list metrics`, comma-separated. Default: MSE to KVD; the others must be named."
    ),
]
Primary = Annotated[
    str, typer.Option(help="The metric on which your claim rests, named before scoring; the others are exploratory.")
]
SyntheticSize = Annotated[int, typer.Option(min=1, help="Size of the synthetic dataset's frames.")]
Features = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILES",
        help="Features of your own network: NAME=FEATURES.npz:REAL.npz with a vector for each clip ID, or "
        "NAME=NETWORK.pt:LAYOUT,SIZE,VALUES with a TorchScript program, as NCHW,224,imagenet.",
    ),
]
FrameSelection = Annotated[str, typer.Option(help="Scored frames: 'all', or 'future' without the given first one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Resolution = Annotated[
    int | None, typer.Option("--resolution", "--size", min=1, help="Side of the scored frames in pixels.")
]
ScoredFolders = Annotated[
    list[str],
    typer.Argument(
        help="FOLDER, NAME=FOLDER, or NAME@SEED=FOLDER for each training run; videos named by clip id, several "
        "samples of a clip ID/0.mp4 or ID@0.mp4."
    ),
]
ScoredSize = Annotated[
    int | None,
    typer.Option(
        "--resolution",
        "--size",
        min=1,
        help="Size to which both sides are resized. Default: the reference's own, or the paper's: 128, Beach 64.",
    ),
]
Scored = Annotated[
    list[str],
    typer.Argument(
        help="FOLDER, NAME=FOLDER, or NAME@SEED=FOLDER for each training run; videos named by clip ID, several "
        "samples of a clip ID/0.mp4 or ID@0.mp4. Archives and arrays are folders too."
    ),
]
Axes = Annotated[str, typer.Option(help="Order of an array's axes if its shape is ambiguous: NTCHW, NTHWC or NTHW.")]
ValueRange = Annotated[
    str, typer.Option("--range", help="Values of black and white in arrays that are not uint8, as in 0,1 or -1,1.")
]
Clips = Annotated[
    int | None,
    typer.Option("--clips", "--max-clips", min=1, help="Score at most N clips, chosen by the hash of their IDs."),
]
SettingOverrides = Annotated[list[str] | None, typer.Option("--set", help="key=value, as in options.mdgan.width=16.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file with configuration keys, or a run's run.json.")
]
Preset = Annotated[str, typer.Option(help="smoke, small, medium or paper; 'auto' is smoke on a CPU, small on a GPU.")]
Seeds = Annotated[str, typer.Option("--seeds", "--seed", help="Training seeds, comma-separated.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Training runs in parallel on a CPU. Default: one per core, at most four."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Work offline; metrics without weights are left out.")]
Ci = Annotated[
    bool,
    typer.Option("--ci", help="Print 95 % intervals, and mark methods that are significantly worse than the best."),
]
Samples = Annotated[
    int | None, typer.Option("--samples", min=1, help="Score the first N samples of each clip; all by default.")
]
BestOf = Annotated[
    int,
    typer.Option(
        "--best",
        min=1,
        help="Rank by the expected best of K of a clip's samples instead of their mean; part of the protocol ID.",
    ),
]
Steps = Annotated[int | None, typer.Option(min=0, help="Training steps of each stage.")]
Batch = Annotated[int | None, typer.Option("--batch-size", "--batch", min=1, help="Clips per training step.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Decoding threads, which change no number; default: one per core.")
]


#: Placeholders for option values in `--help`, by option name; other options get one by type.
VALUES = {"metrics": "NAMES", "models": "NAMES", "seeds": "NUMBERS", "settings": "KEY=VALUE", "to": "TO", "by": "TEXT"}


def name_values(command: Any) -> None:
    """Set the value placeholders that `--help` prints for all options of a command and its subcommands."""
    for inner in getattr(command, "commands", {}).values():
        name_values(inner)
    for option in getattr(command, "params", ()):
        if option.param_type_name == "option" and option.metavar is None and not option.is_flag:
            option.metavar = VALUES.get(option.name) or _kind_of_value(option)


def _kind_of_value(option: Any) -> str:
    """Placeholder by type: N for a whole number, X for another number, PATH, NAME or TEXT."""
    kind = getattr(option, "type", None) or getattr(option, "type_descriptor", None)
    known = str(getattr(kind, "name", kind)).lower()
    for word, name in (("int", "N"), ("float", "X"), ("path", "PATH"), ("choice", "NAME")):
        if word in known:
            return name
    return "TEXT"


def scoring_root(data_root: str | None, reference: Path | None) -> str:
    """Return the data root to score against; raise a `BenchError` if no real clips are given."""
    if data_root is None and reference is None:
        raise BenchError(
            "Found no real videos to score against. Give --data-root with the folder of the dataset (or "
            "'synthetic'), or --reference with a folder of real videos."
        )
    return data_root or SYNTHETIC


def words(text: str) -> list[str]:
    """Split a comma-separated list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[int]:
    """Split a comma-separated list of whole numbers."""
    try:
        return [int(word) for word in words(text)]
    except ValueError as error:
        raise BenchError(f"'{text}' is not a list of whole numbers: expected something like 0,1,2.") from error


def configure(
    models: Sequence[str],
    preset: str,
    config: Path | None,
    settings: Sequence[str],
    flags: Mapping[str, Any],
    *,
    baseline: bool,
) -> RunConfig:
    """Make a configuration in which flags override a configuration file, which overrides a preset."""
    from bench.engine.devices import pick_device

    values: dict[str, Any] = read_config(config) if config else {}
    values |= {key: value for key, value in flags.items() if value is not None}
    if models:
        values["models"] = list(models)
    values = check_values(apply_settings(values, settings))  # before any of them is used
    values.setdefault("models", list(DEFAULT_MODELS))
    if preset != "auto" or "preset" not in values:
        fits = "small" if pick_device(values.get("device", "auto")) == "cuda" else "smoke"
        values["preset"] = fits if preset == "auto" else preset
    return make_config(values, baseline=baseline)


def print_json(value: Any) -> None:
    """Print a result as JSON; numbers that are not finite, which JSON cannot represent, become null."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_folder(folder: Path) -> None:
    """Print a folder's stored numbers as JSON, with their caption and notes."""
    from bench.report.tables.score_table import stored_table
    from bench.scoring.sample_lines import read_samples
    from bench.scoring.score_tables import read_summary

    table = stored_table(folder)
    rows = [vars(line) for line in read_summary(folder)]
    several = {"samples": [vars(line) for line in found]} if (found := read_samples(folder)) else {}
    print_json({"caption": table.caption, "rows": rows, **several, "notes": list(table.notes)})


def wide_console() -> Console:
    """The console for readable results: as wide as the terminal, or 160 characters without a terminal."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def print_scores(table: ScoreTable, folder: Path | None = None) -> None:
    """Print a table of scores with its notes; for a folder with several samples per clip, also the table of samples."""
    from bench.report.tables.sample_table import sample_table

    print_grid(table.grid)
    if folder and (several := sample_table(folder)):
        print()
        print_grid(several)


def print_grid(grid: Grid) -> None:
    """Print any table of results with its warning and notes."""
    from bench.report.tables.terminal_table import to_rich

    console = wide_console()
    for table in to_rich(grid, console.width):
        console.print(table)
    print("\n".join([*([grid.warning] if grid.warning else []), *grid.notes]))


def show(rows: Sequence[Mapping[str, Any]], as_json: bool, heads: bool = True) -> None:
    """Print rows with equal keys as a table or as JSON; the table shows the value "missing" in bold."""
    if as_json:
        print_json(rows)
        return
    table = RichTable(box=None, show_header=heads, header_style="italic")
    for key in rows[0] if rows else ():
        table.add_column(Text(key), overflow="fold")
    for row in rows:
        # As Text, because a name or a path in square brackets is not markup.
        table.add_row(*(Text(str(value), "bold" if value == "missing" else "") for value in row.values()))
    wide_console().print(table)
