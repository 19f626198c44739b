"""Presets and run configuration: the only place with defaults. An unknown key is an error."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.registry import DATASETS, METRICS, MODELS, SYNTHETIC

#: The baseline that every table has unless it is told not to.
ALWAYS = "copy"

#: What a size of experiment means. `resolution` and `options` may be given by dataset and by model.
#: MD-GAN's and VGAN's widths, rates and losses under "paper" are the papers' (they are the models' own
#: defaults); batch size and number of steps were not published and are ours.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "resolution": {"sky": 64, "beach": 64, "": 64},
        "steps": 150,
        "batch": 4,
        "options": {"mdgan": {"width": 8}, "vgan": {"width": 16}, "rnngan": {"width": 16}},
        "validate_every": 50,
        "checkpoint_every": 50,
        "log_every": 1,
    },
    "small": {
        "resolution": {"sky": 64, "beach": 64, "": 64},
        "steps": 600,
        "batch": 4,
        "options": {"mdgan": {"width": 16}, "vgan": {"width": 32}, "rnngan": {"width": 32}},
        "validate_every": 100,
        "checkpoint_every": 50,
        "log_every": 5,
    },
    "paper": {
        "resolution": {"sky": 128, "beach": 64, "": 128},
        "steps": 100_000,
        "batch": 16,
        "options": {"mdgan": {"width": 32}, "vgan": {"width": 128}, "rnngan": {"width": 64}},
        "validate_every": 1000,
        "checkpoint_every": 500,
        "log_every": 50,
    },
}


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run's tables. Two runs of equal configuration on equal data give equal tables.

    Attributes:
        models: registered names, in the order of the table.
        dataset: registered name.
        data_root: its folder, or "synthetic".
        preset: "smoke", "small" or "paper"; where the fields below are not given, they come from it.
        resolution: side of the scored frames in pixels; a model works at its largest size that is not above it.
        frames: scored frames: "all" 32 (the paper's way) or "future" (the given first frame left out).
        metrics: registered names.
        clips: score that many test clips, those with the smallest SHA-256 of their id; None for all.
        seeds: one training each.
        steps: training steps of each stage.
        batch: clips in a training step, over all processes.
        accumulate: work through a process's share of the batch in so many parts, where it does not fit into memory
            whole; batch norms and Gram matrices then see a part at a time.
        compile: let `torch.compile` have the networks.
        options: constructor options by model ({"mdgan": {"width": 16}}).
        flip: mirror training clips at random from left to right (never in time).
        validate_every, checkpoint_every, log_every: in steps.
        select: which weights a stage hands on: "last", or "best" by validation clips.
        device: "auto", "cpu" or "cuda".
        precision: "auto" (bf16 mixed on GPUs that have it, else float32), "32-true" or "bf16-mixed".
    """

    models: tuple[str, ...]
    preset: str
    resolution: int
    steps: int
    batch: int
    validate_every: int
    checkpoint_every: int
    log_every: int
    dataset: str = "sky"
    data_root: str = SYNTHETIC
    frames: str = "all"
    metrics: tuple[str, ...] = ()
    clips: int | None = None
    seeds: tuple[int, ...] = (0,)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flip: bool = False
    select: str = "last"
    device: str = "auto"
    precision: str = "auto"
    accumulate: int = 1
    compile: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


CHOICES = {
    "frames": ("all", "future"),
    "select": ("last", "best"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("auto", "32-true", "bf16-mixed"),
}
KEYS = tuple(f.name for f in dataclasses.fields(RunConfig))


def _whole(least: int) -> Callable[[Any], bool]:
    # True and False are ints to Python, but `batch=true` is a slip.
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(fits, value))


def _word(value: Any) -> bool:
    return isinstance(value, str)


def _tables(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(table, Mapping) for table in value.values())


def _different(value: Any) -> bool:
    return _list_of(_whole(0))(value) and 0 < len(value) == len(set(value))


def _true_or_false(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(allowed: tuple[str, ...]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: isinstance(value, str) and value in allowed, f"one of {', '.join(allowed)}"


_ABOVE_0 = (_whole(1), "a whole number above 0")
_SWITCH = (_true_or_false, "true or false")
_NAMES = (_list_of(_word), "a list of names")
#: What every key has to be, and how that is said. Everything after this check may rely on it.
EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "models": _NAMES,
    "preset": (_word, "a name"),
    "resolution": _ABOVE_0,
    "steps": (_whole(0), "a whole number, 0 or above"),
    "batch": _ABOVE_0,
    "validate_every": _ABOVE_0,
    "checkpoint_every": _ABOVE_0,
    "log_every": _ABOVE_0,
    "dataset": (_word, "a name"),
    "data_root": (_word, "a folder or 'synthetic'"),
    "metrics": _NAMES,
    "clips": (lambda value: value is None or _whole(1)(value), "a whole number above 0"),
    "seeds": (_different, "a list of one or more different whole numbers, 0 or above, as in [0, 1]"),
    "options": (_tables, "a table for each model, as in options.mdgan.width=16"),
    "flip": _SWITCH,
    "accumulate": _ABOVE_0,
    "compile": _SWITCH,
    **{key: _one_of(allowed) for key, allowed in CHOICES.items()},
}


def make_config(given: Mapping[str, Any], *, baseline: bool = True) -> RunConfig:
    """Check what was given and fill in the rest from the preset.

    Args:
        given: any of `RunConfig`'s fields; `models` and `preset` must be there.
        baseline: add the `copy` baseline where it is not named.

    Raises:
        BenchError: an unknown key, model, dataset, metric, preset or model option (with the nearest name), or a value
            out of range.
    """
    values = check_values(given)
    preset_name = check_preset(values["preset"])
    preset = PRESETS[preset_name]
    models = tuple(dict.fromkeys(MODELS.check(name) for name in values["models"]))
    values["models"] = (*models, ALWAYS) if baseline and ALWAYS not in models else models
    dataset = DATASETS.check(values.get("dataset", "sky"))
    sizes = preset["resolution"]
    values.setdefault("resolution", sizes.get(dataset, sizes[""]))
    values["metrics"] = tuple(dict.fromkeys(METRICS.check(m) for m in values.get("metrics") or METRICS))
    values["seeds"] = tuple(values.get("seeds", (0,)))
    if not values["models"]:
        raise BenchError(f"No model is named. Known: {', '.join(sorted(MODELS))}.")
    for key in ("steps", "batch", "validate_every", "checkpoint_every", "log_every"):
        values.setdefault(key, preset[key])
    options = values.get("options", {})
    for name in options:
        if name not in values["models"]:
            raise BenchError(f"Options are given for the model '{name}', which this run does not have.")
    values["options"] = {
        name: {**preset["options"].get(name, {}), **options.get(name, {})} for name in values["models"]
    }
    return RunConfig(**values)


def check_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check each value by itself, and split the lists of names that were given as one text with commas.

    Raises:
        BenchError: an unknown key, or a value that is not what `EXPECTED` says.
    """
    values = dict(given)
    for key, value in given.items():
        if key not in KEYS:
            raise BenchError(f"There is no configuration key '{key}'.{did_you_mean(key, KEYS)}")
        if key in ("models", "metrics") and isinstance(value, str):
            values[key] = [word.strip() for word in value.split(",") if word.strip()]
        fits, expected = EXPECTED[key]
        if not fits(values[key]):
            raise BenchError(f"{key} is {value!r}: expected {expected}.")
    return values


def check_preset(name: str) -> str:
    """Return the preset's name, or raise a `BenchError` that suggests the nearest one."""
    if name not in PRESETS:
        raise BenchError(f"There is no preset '{name}'.{did_you_mean(name, PRESETS)}")
    return name


def read_config(path: Path) -> dict[str, Any]:
    """Read configuration keys from a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BenchError(f"There is no configuration file {path}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"The configuration file {path} is not valid TOML ({error}).") from error
    except OSError as error:  # a folder, or a file of somebody else's
        raise BenchError(f"The configuration file {path} cannot be read: {error.strerror}.") from error


def parse_setting(text: str) -> tuple[list[str], Any]:
    """Read `key=value` or `options.mdgan.width=16`; the value is TOML, or a plain word."""
    key, equals, value = text.partition("=")
    if not equals:
        raise BenchError(f"'{text}' is no setting: expected key=value.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return key.strip().split("."), parsed


def apply_settings(values: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Lay `key=value` settings over configuration values; a dotted key goes into nested tables."""
    result = copy.deepcopy(values)
    for text in settings:
        (*tables, last), value = parse_setting(text)
        target = result
        for name in tables:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise BenchError(f"'{text}' cannot be set: {name} is {target!r} and no table of options.")
        target[last] = value
    return result


#: Flags of `bench run` by configuration key; every other key is a `--set`.
FLAGS = {
    key: f"--{key.replace('_', '-')}"
    for key in ("data_root", "resolution", "frames", "metrics", "clips", "seeds", "steps", "device")
} | {"batch": "--batch-size"}


def as_command(config: Mapping[str, Any]) -> str:
    """The shortest `bench run` that has this configuration (as in `run.json`), for a shell.

    Paths are as they were given, so a relative one counts from where the run was started.
    """
    models = list(config["models"])
    baseline = ALWAYS in models
    if models[-1:] == [ALWAYS] and len(models) > 1:
        models.pop()  # it comes by itself
    same = make_config({"models": models, "preset": config["preset"], "dataset": config["dataset"]}, baseline=baseline)
    default = same.to_dict()
    words = ["bench", "run", "--models", ",".join(models), "--dataset", config["dataset"], "--preset", config["preset"]]
    settings = {}
    for key, value in config.items():
        if key in ("models", "dataset", "preset", "options") or value == default.get(key):
            continue
        if key in FLAGS:
            words += [FLAGS[key], ",".join(map(str, value)) if isinstance(value, list) else str(value)]
        else:
            settings[key] = value
    for model, options in config["options"].items():
        known = default["options"][model]
        settings |= {f"options.{model}.{key}": value for key, value in options.items() if known.get(key) != value}
    for key, value in settings.items():
        words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join([*words, *([] if baseline else ["--no-baseline"])])


def is_offline() -> bool:
    """Whether the environment's `BENCH_OFFLINE` forbids connections: set, and neither empty nor 0, false, no or off."""
    return os.environ.get("BENCH_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")
