"""Generate the reference pages from the code: `python .ci/reference.py [FOLDER]` (default: docs/reference).

The pages are part of the repository, so that they can be read without building anything. A test compares them with the
output of this script, so the documentation cannot disagree with the commands.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from bench.cli.main import app, mount_commands
from bench.cli_options import name_values
from bench.config import FIELDS, PRESETS, RunConfig
from bench.registry import METRICS

HEAD = "<!-- Written from the code by .ci/reference.py. Change the code, then run `make reference`. -->\n"
#: Every environment variable that the code reads. A test looks for others.
ENVIRONMENT = {
    "BENCH_ADMIN_PASSWORD": "Password of a study's admin page. Without it the page is closed.",
    "BENCH_CACHE_DIR": "Folder for weights, packed clips and kept features. Default: the user's cache folder.",
    "BENCH_DATABASE_URL": "SQLAlchemy URL of a study's database, used where `--db` is not given.",
    "BENCH_OFFLINE": "Set to `1`, nothing is downloaded.",
    "BENCH_PROLIFIC_TOKEN": "API token for `bench study prolific`.",
    "BENCH_PROLIFIC_URL": "Address of Prolific's API, for tests and proxies.",
    "BENCH_STEP_TIMEOUT": "Minutes after which processes that wait for each other stop with an error.",
    "BENCH_STUDY_SECRET": "Key for hashes of platform IDs and for signed links, at least 16 characters. "
    "Default with SQLite: a random key in the file `<database>.secret`. Required with PostgreSQL.",
    "BENCH_WEIGHTS_DIR": "Folder with the weights of metrics. Default: a folder in the cache.",
    "BENCH_WEIGHTS_MIRROR": "Address from which weights are downloaded first.",
    "HF_ENDPOINT": "Address of the Hugging Face hub.",
    "HF_TOKEN": "Token for `bench push`.",
    "MLFLOW_TRACKING_URI": "Where `logger=mlflow` writes.",
    "WANDB_MODE": "`offline` keeps the log of `logger=wandb` on disk.",
}
#: Variables that the code reads but that are not for users: launchers, other libraries or a parent process set them.
NOT_FOR_USERS = {
    "BENCH_STUDY", "BENCH_STUDY_PREVIEW", "BENCH_STUDY_PROXY", "BENCH_STUDY_SESSIONS", "DNNL_MAX_CPU_ISA", "LOCAL_RANK",
    "ONEDNN_MAX_CPU_ISA", "PYTHONPATH", "RANK", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE",
}  # fmt: skip


def cell(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n"


def commands(command: Any, names: tuple[str, ...] = ("bench",)) -> Iterator[tuple[str, Any]]:
    """Every command that is not a group, with its full name."""
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield " ".join(names), command
    for name in sorted(inner):
        yield from commands(inner[name], (*names, name))


def default_of(option: Any) -> str:
    """An option's default, as typed on the command line."""
    value = option.default
    if value is None or value is False or value == [] or value == "" or value == () or callable(value):
        return ""
    return "required" if value is ... else f"`{value}`"


def command_line() -> str:
    """The page of all subcommands, with their arguments and options."""
    parts = [HEAD, "# Command line\n", "Every subcommand prints the same text with `--help`.\n"]
    mount_commands()
    bench = typer.main.get_command(app)
    name_values(bench)
    for name, command in commands(bench):
        if command.hidden:
            continue
        parts += [f"## `{name}`\n", inspect.cleandoc(command.help or "").replace("\b", "") + "\n"]
        rows: list[list[object]] = []
        for option in command.params:
            if getattr(option, "hidden", False) or option.name == "help":
                continue
            names = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
            if option.param_type_name == "argument":
                names = f"`{option.name.upper()}`"
            elif not option.is_flag:
                names += f" {option.metavar or option.name.rpartition('_')[2].upper()}"
            needed = "required" if option.required else default_of(option)
            rows.append([names, getattr(option, "help", "") or "", needed])
        parts.append(table(["Option", "Meaning", "Default"], rows) if rows else "This subcommand has no options.\n")
    return "\n".join(parts)


def attributes(described: object) -> dict[str, str]:
    """The fields that a class's docstring describes, by name."""
    text = inspect.getdoc(described) or ""
    section = text.partition("Attributes:")[2]
    found: dict[str, str] = {}
    for names, meaning in re.findall(r"^    ([\w, ]+): ((?:.|\n(?!    \w[\w, ]*: |\S))+)", section, re.MULTILINE):
        found |= {name.strip(): meaning for name in names.split(",")}
    return found


def configuration() -> str:
    """The page of a run's configuration keys and of presets."""
    meanings = attributes(RunConfig)
    rows: list[list[object]] = []
    for name, key in FIELDS.items():
        in_preset = name in PRESETS["paper"]
        default = "from the preset" if in_preset or name in ("models", "preset") else f"`{_default(key)}`"
        flag = f"`{key.metadata['flag']}`" if key.metadata["flag"] else f"`--set {name}=…`"
        rows.append([f"`{name}`", meanings[name], key.metadata["expected"], default, flag])
    keys = dict.fromkeys(key for preset in PRESETS.values() for key in preset)
    presets = [[f"`{key}`", *(_preset_value(preset, key) for preset in PRESETS.values())] for key in keys]
    return "\n".join(
        [
            HEAD,
            "# Configuration keys and presets\n",
            "A run takes its values from a preset, then from `--config FILE` (TOML or JSON), then from options and "
            "`--set KEY=VALUE`. The last one wins.\n",
            "## Keys\n",
            table(["Key", "Meaning", "Allowed", "Default", "Option of `bench run`"], rows),
            "## Presets\n",
            "Widths and other options of a model in each preset are listed under [models](models.md).\n",
            table(["Key", *(f"`{name}`" for name in PRESETS)], presets),
        ]
    )


def _default(key: Any) -> object:
    """A field's default value."""
    return key.default if key.default.__class__.__name__ != "_MISSING_TYPE" else {}


def _preset_value(preset: Mapping[str, Any], key: str) -> str:
    """A preset's value of a key; empty if the key's own default applies."""
    value = preset.get(key, "")
    if isinstance(value, Mapping):
        return ", ".join(f"{size}" if not name else f"{size} ({name})" for name, size in value.items())
    return str(value)


def environment() -> str:
    """The page of environment variables."""
    rows: list[list[object]] = [[f"`{name}`", meaning] for name, meaning in ENVIRONMENT.items()]
    return "\n".join([HEAD, "# Environment variables\n", table(["Variable", "Meaning"], rows)])


def metrics() -> str:
    """The page of all metrics, with their definitions."""
    rows: list[list[object]] = []
    for name in METRICS:
        metric = METRICS.load(name)
        best = {"lower": "lower", "higher": "higher", "one": "nearest to 1"}[metric.direction]
        needs = "weights" if metric.needs_weights else ""
        default = "yes" if metric.default else "no"
        rows.append([f"`{name}`", metric.definition, metric.version, best, metric.range, default, needs])
    head = ["Name", "Definition", "Version", "Best", "Range", "In default tables", "Needs"]
    link = "How each metric is checked, and what its versions mean: [metrics](metrics.md).\n"
    return "\n".join([HEAD, "# List of metrics\n", link, table(head, rows)])


PAGES = {
    "command-line.md": command_line,
    "configuration.md": configuration,
    "environment.md": environment,
    "metric-list.md": metrics,
}


def main(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (folder / name).write_text(write().rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "docs/reference"))
