"""The `bench` command: one function per subcommand, no logic. Results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

# Must be set before PyTorch is imported: waiting threads sleep instead of spinning. The results are the same; on a
# machine with other load, training is more than twice as fast.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from bench.cli.ablate import ablate
from bench.cli.data import data_app
from bench.cli.inspect import doctor, list_app
from bench.cli.publish import push, release
from bench.cli.results import compare, export, leaderboard, report
from bench.cli.score import score
from bench.cli.speed import speed_app
from bench.cli.weights import weights_app
from bench.cli_options import (
    Batch,
    Ci,
    Clips,
    ConfigFile,
    DataRoot,
    DatasetName,
    Device,
    Jobs,
    Json,
    Metrics,
    Offline,
    Out,
    Preset,
    Primary,
    Resolution,
    Seeds,
    SettingOverrides,
    Steps,
    SyntheticSize,
    configure,
    name_values,
    numbers,
    print_folder,
    print_scores,
    words,
)
from bench.errors import BenchError
from bench.files import disk_error
from bench.progress import console
from bench.provenance import DISTRIBUTION, EXTRAS, extra_of, how_to_install, our_version
from bench.registry import COMMANDS, DEFAULT_DATASET, SYNTHETIC, check_siblings

#: Headings of the list of subcommands.
ALL_STEPS, RESULTS, PEOPLE, MACHINE = "All steps, or one", "Results", "People", "Data, weights, this machine"
EXAMPLES = """Examples: `bench run` (everything, on the synthetic dataset)\n
`bench score mine=/videos/mine --reference /videos/real --out results/mine`\n
`bench COMMAND --help` (its options)"""


class StoppedError(Exception):
    """Ctrl-C, passed on because the command-line library would end the process without a message."""


class SubcommandGroup(TyperGroup):
    """A group of subcommands that passes Ctrl-C on to `main`, and whose help shows kinds of values, not types."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the subcommand with this name."""
        command = super().get_command(ctx, cmd_name)
        name_values(command)
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the requested subcommand."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise StoppedError from stop


app = typer.Typer(
    cls=SubcommandGroup,
    help="Train, score and compare time-lapse video generators: one number, one meaning.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=ALL_STEPS)(ablate)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"{DISTRIBUTION} {our_version()}")
        raise typer.Exit


@app.callback()
def bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, score and compare time-lapse video generators: one number, one meaning."""


@app.command(rich_help_panel=ALL_STEPS)
def run(
    models: Annotated[str, typer.Option(help="Names from `bench list models`, comma-separated.")] = "",
    dataset: Annotated[str | None, typer.Option(help="A name from `bench list datasets`; sky by default.")] = None,
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the dataset; default: the synthetic dataset.")
    ] = None,
    preset: Preset = "auto",
    out: Annotated[Path | None, typer.Option(help="Run folder; results/<dataset>-<preset> by default.")] = None,
    resolution: Resolution = None,
    frames: Annotated[str | None, typer.Option(help="Scored frames: all or future.")] = None,
    metrics: Metrics = "",
    primary: Primary = "",
    clips: Clips = None,
    seeds: Seeds = "",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Videos per clip, for stochastic models; default: 1.")
    ] = None,
    best: Annotated[int | None, typer.Option(min=1, help="As in `bench score`.")] = None,
    steps: Steps = None,
    batch: Batch = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    jobs: Jobs = None,
    config: ConfigFile = None,
    settings: SettingOverrides = None,
    baseline: Annotated[bool, typer.Option(help="Add the copy baseline to the table.")] = True,
    ci: Ci = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Train, generate, score and report; to resume, repeat the command."""
    from bench.pipeline.run import data_of
    from bench.pipeline.run import run as run_pipeline

    flags = {
        "dataset": dataset,
        "data_root": data_root,
        "resolution": resolution,
        "frames": frames,
        "metrics": words(metrics) or None,
        "primary": primary or None,
        "clips": clips,
        "seeds": numbers(seeds) or None,
        "samples": samples,
        "best": best,
        "steps": steps,
        "batch": batch,
        "device": device,
    }
    chosen = configure(words(models), preset, config, settings or [], flags, baseline=baseline)
    folder = out or Path("results") / f"{data_of(chosen).title}-{chosen.preset}"
    table = run_pipeline(chosen, folder, offline=offline, ci=ci, jobs=jobs)
    if as_json:
        print_folder(folder)
    else:
        print_scores(table, folder)
        print(f"Tables: {folder}/table.csv, .tex, .md   Figures: {folder}/figures   Report: {folder}/report.html")


@app.command(rich_help_panel=ALL_STEPS)
def train(
    model: Annotated[str, typer.Option(help="A name from `bench list models`.")],
    out: Out,
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    preset: Preset = "auto",
    resolution: Resolution = None,
    seed: Annotated[int, typer.Option("--seed", "--seeds", min=0, help="Seed for weights and batches.")] = 0,
    steps: Steps = None,
    batch: Batch = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: SettingOverrides = None,
) -> None:
    """Train one model; writes OUT/model.pt, resumable checkpoints and logs."""
    from bench.pipeline.single_steps import train_alone

    data = {"dataset": dataset, "data_root": data_root, "resolution": resolution}
    flags = {**data, "seeds": [seed], "steps": steps, "batch": batch, "device": device}
    chosen = configure([model], preset, config, settings or [], flags, baseline=False)
    print(train_alone(chosen, out))


@app.command(rich_help_panel=ALL_STEPS)
def generate(
    out: Annotated[Path, typer.Option(help="Output folder, with a subfolder for each method.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The model.pt of a finished training run.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model, checked against the checkpoint.")] = None,
    published_s1: Annotated[
        Path | None, typer.Option(help="The authors' Stage I checkpoint, in place of --checkpoint,")
    ] = None,
    published_s2: Annotated[Path | None, typer.Option(help="and the authors' Stage II checkpoint.")] = None,
    batch_norm: Annotated[
        str,
        typer.Option(
            help="Batch norm of published checkpoints: running statistics, or batch statistics as the authors used."
        ),
    ] = "running",
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: DataRoot = SYNTHETIC,
    resolution: SyntheticSize = 64,
    samples: Annotated[int, typer.Option(min=1, help="Videos per clip, for stochastic models.")] = 1,
    device: Device = "auto",
) -> None:
    """Continue the first frames of the test clips with a trained model."""
    from bench.data.dataset import Dataset
    from bench.engine.generate import PublishedModel, TrainedModel
    from bench.pipeline.single_steps import generate_alone

    source: TrainedModel | PublishedModel
    if published_s1 or published_s2:
        if checkpoint:
            raise BenchError(
                "Found both --checkpoint and published checkpoints. Give --checkpoint, or --published-s1 and "
                "--published-s2."
            )
        if model is None or published_s1 is None or published_s2 is None:
            raise BenchError("Published checkpoints need --model, --published-s1 and --published-s2.")
        source = PublishedModel(model, published_s1, published_s2, batch_norm)
    elif checkpoint:
        source = TrainedModel(checkpoint, model, samples=samples)
    else:
        raise BenchError("Give --checkpoint with the model.pt of a training run, or --published-s1 and --published-s2.")
    for folder in generate_alone(source, Dataset(dataset, data_root), resolution, out, device):
        print(folder)


app.command(rich_help_panel=ALL_STEPS)(score)
for _verb in (report, compare, export, leaderboard, release, push):
    app.command(rich_help_panel=RESULTS)(_verb)
app.command(rich_help_panel=MACHINE)(doctor)
for _name, _app in {"data": data_app, "list": list_app, "speed": speed_app, "weights": weights_app}.items():
    app.add_typer(_app, name=_name, rich_help_panel=MACHINE)


@cache
def mount_commands() -> None:
    """Add the subcommands that other packages define (`bench.registry.COMMANDS`)."""
    check_siblings()
    for name in COMMANDS:
        command = COMMANDS.load(name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, rich_help_panel=PEOPLE)
        else:
            app.command(name, rich_help_panel=PEOPLE)(command)


def _run_app() -> None:
    """Run the subcommand; turn disk errors and missing packages into error messages."""
    try:
        mount_commands()
        app(prog_name="bench")
    except OSError as error:  # raised where the code does not know what it was writing
        raise disk_error(error, error.filename or "the result") from error
    except ModuleNotFoundError as error:
        if (extra := extra_of(error.name or "")) is None:
            raise
        needs = f"needs the package '{error.name}', which is not installed"
        raise BenchError(f"This {needs}: install it with `{how_to_install(extra)}` ({EXTRAS[extra]}).") from error


def _thread_ended(error: threading.ExceptHookArgs) -> None:
    """Report an error that ended a thread, except a full disk: TensorBoard reports that in the calling thread."""
    if not (isinstance(error.exc_value, OSError) and error.exc_value.errno in (errno.ENOSPC, errno.EDQUOT)):
        threading.__excepthook__(error)


def main() -> None:
    """Run the command; every expected failure is one sentence on stderr and exit status 1, Ctrl-C is status 130."""
    if os.environ.get("RANK", "0") != "0":  # only one of several processes prints results
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for as long as the process lives)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # print tables even if the output's encoding lacks some characters
            stream.reconfigure(errors="replace")
    # Matplotlib warns that it starts more slowly without a cache folder; keep that out of our output.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    threading.excepthook = _thread_ended
    try:
        _run_app()
    except BenchError as error:
        console().print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except (KeyboardInterrupt, StoppedError):
        console().print("bench: stopped; to resume, repeat the command.", markup=False, soft_wrap=True)
        sys.exit(130)
