"""Presets and run configuration, the only place with defaults; an unknown key is an error."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.files import read_json
from bench.registry import DATASETS, DEFAULT_DATASET, METRICS, MODELS, SYNTHETIC, check_fast

#: The baseline that every table contains by default.
ALWAYS = "copy"

#: Settings that the CPU presets share.
_SHORT = {"resolution": {"": 64}, "batch": 4, "flip": True, "decay_from": 0.5}
#: Settings of each preset; `resolution` may depend on the dataset. A model's class defines its own options under each
#: preset (`VideoModel.presets`). "paper" uses the papers' settings, except for our own batch size and number of steps,
#: which were not published. docs/reference/models.md explains what the other presets change, and why.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {**_SHORT, "steps": 150, "validate_every": 75, "checkpoint_every": 50, "log_every": 1, "ema": 0.95},
    "small": {**_SHORT, "steps": 200, "validate_every": 100, "checkpoint_every": 50, "log_every": 2, "ema": 0.99},
    "medium": {**_SHORT, "steps": 3000, "validate_every": 250, "checkpoint_every": 100, "log_every": 10, "ema": 0.995},
    "paper": {
        "resolution": {"": 128, "beach": 64},
        "steps": 100_000,
        "batch": 16,
        "validate_every": 1000,
        "checkpoint_every": 500,
        "log_every": 50,
    },
}
#: Choices of scored frames (`bench.scoring.protocol_choices.skipped_frames`).
SCORED_FRAMES = re.compile(r"all|future|context(?P<given>[2-9]|[1-9]\d+)-future")


def _whole(least: int) -> Callable[[Any], bool]:
    # True and False are ints in Python, but `batch=true` is a mistake.
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


def _key(fits: Callable[[Any], bool], expected: str, *, flag: str = "", **default: Any) -> Any:
    """A configuration key: the check of its value, the expected value in words, and its `bench run` flag, if any."""
    return field(metadata={"fits": fits, "expected": expected, "flag": flag}, **default)


def _above_0(**more: Any) -> Any:
    return _key(_whole(1), "a whole number above 0", **more)


def _names(**more: Any) -> Any:
    return _key(_list_of(_word), "a list of names", **more)


def _switch(**more: Any) -> Any:
    return _key(_true_or_false, "true or false", **more)


def _share(least: float, most: float, **more: Any) -> Any:
    def fits(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    return _key(fits, f"a number from {least:g} to {most:g}", **more)


def _one_of(allowed: Iterable[str], **more: Any) -> Any:
    words = tuple(allowed)
    return _key(lambda value: isinstance(value, str) and value in words, f"one of {', '.join(words)}", **more)


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run's tables: equal configurations on equal data give equal tables.

    Each key's values, default and flag are defined only here. Fields without a default come from the preset.

    Attributes:
        models: registered names, in the order of the table.
        dataset: the dataset's registered name.
        data_root: the dataset's folder, or "synthetic".
        preset: one of `PRESETS`.
        resolution: side of the scored frames in pixels; a model works at its largest size that is not above it.
        frames: scored frames: "all" (as in the paper), "future" (without the given first one), or "context10-future".
        metrics: registered names; empty for all default metrics.
        primary: the metric on which your claim rests; empty for none.
        clips: number of test clips to score, those with the smallest SHA-256 of their ID; None for all.
        seeds: seeds, with one training run per seed.
        samples: videos per clip from stochastic models; other models generate one.
        best: score each clip by the expected best of this many of its samples; 1 for their mean.
        steps: training steps of each stage.
        batch: clips per step, over all processes.
        accumulate: split a process's batch into N parts to save memory; batch norms and Gram matrices see one each.
        compile: compile the networks with `torch.compile`.
        fast: faster ways to train on a GPU: "gram", "graph", "space-to-depth" and "stream", or "all" of them.
        options: constructor options by model ({"mdgan": {"width": 16}}).
        flip: mirror training clips at random from left to right (never in time).
        validate_every, checkpoint_every, log_every: steps between validations, checkpoints, log entries, respectively.
        select: which weights a stage outputs: "last", or "best" by validation clips.
        decay_from: share of a stage's steps after which learning rates fall linearly to 0; 1 for never.
        ema: decay of the moving average of the weights, which a stage then outputs; 0 for no average.
        device: "auto", "cpu" or "cuda".
        logger: experiment logger of training runs: "tensorboard", "wandb", "mlflow" or "none".
        precision: "auto" (bf16 mixed on GPUs that support it, else float32), "32-true" or "bf16-mixed".
    """

    models: tuple[str, ...] = _names()
    preset: str = _key(_word, "a name")
    resolution: int = _above_0(flag="--resolution")
    steps: int = _key(_whole(0), "a whole number, 0 or above", flag="--steps")
    batch: int = _above_0(flag="--batch-size")
    validate_every: int = _above_0()
    checkpoint_every: int = _above_0()
    log_every: int = _above_0()
    dataset: str = _key(_word, "a name", default=DEFAULT_DATASET)
    data_root: str = _key(_word, "a folder or 'synthetic'", flag="--data-root", default=SYNTHETIC)
    frames: str = _key(
        lambda value: bool(SCORED_FRAMES.fullmatch(str(value))), "all or future", flag="--frames", default="all"
    )
    metrics: tuple[str, ...] = _names(flag="--metrics", default=())
    primary: str = _key(_word, "a metric's name", flag="--primary", default="")
    clips: int | None = _key(
        lambda n: n is None or _whole(1)(n), "a whole number above 0", flag="--clips", default=None
    )
    seeds: tuple[int, ...] = _key(
        _different, "a list of different whole numbers, 0 or above, as in [0, 1]", flag="--seeds", default=(0,)
    )
    samples: int = _above_0(flag="--samples", default=1)
    best: int = _above_0(flag="--best", default=1)
    options: Mapping[str, Mapping[str, Any]] = _key(
        _tables, "a table for each model, as in options.mdgan.width=16", default_factory=dict
    )
    flip: bool = _switch(default=False)
    select: str = _one_of(("last", "best"), default="last")
    decay_from: float = _share(0, 1, default=1.0)
    ema: float = _share(0, 0.9999, default=0.0)
    device: str = _one_of(("auto", "cpu", "cuda"), flag="--device", default="auto")
    precision: str = _one_of(("auto", "32-true", "bf16-mixed"), default="auto")
    accumulate: int = _above_0(default=1)
    compile: bool = _switch(default=False)
    fast: tuple[str, ...] = _names(default=())
    logger: str = _one_of(("tensorboard", "wandb", "mlflow", "none"), default="tensorboard")

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


FIELDS = {key.name: key for key in dataclasses.fields(RunConfig)}


def without_effect(config: RunConfig) -> set[str]:
    """Keys that do not affect the results of this configuration, so that a run may resume with other values.

    The validation interval affects which weights are the best. It has no effect if the last weights are used.
    """
    return {"checkpoint_every", "log_every", "logger"} | ({"validate_every"} if config.select == "last" else set())


def make_config(requested: Mapping[str, Any], *, baseline: bool = True) -> RunConfig:
    """Check the requested values and fill in the rest from the preset.

    Args:
        requested: any of `RunConfig`'s fields; `models` and `preset` are required.
        baseline: add the `copy` baseline if it is not named.

    >>> make_config({"models": "vgan", "preset": "smoke", "options": {"vgan": {"width": 8}}}).models
    ('vgan', 'copy')

    Raises:
        BenchError: an unknown key, model, dataset, metric, preset or model option (with the nearest name), or a value
            out of range.
    """
    values = check_values(requested)
    preset_name = check_preset(values["preset"])
    preset = PRESETS[preset_name]
    models = tuple(dict.fromkeys(MODELS.check(name) for name in values["models"]))
    values["models"] = (*models, ALWAYS) if baseline and ALWAYS not in models else models
    if not values["models"]:
        raise BenchError(f"No model is named. Known: {', '.join(sorted(MODELS))}.")
    dataset = DATASETS.check(values.get("dataset", DEFAULT_DATASET))
    sizes = preset["resolution"]
    values = {**preset, "resolution": sizes.get(dataset, sizes[""]), **values}
    metrics = [*(values.get("metrics") or METRICS.defaults()), *filter(None, [values.get("primary")])]
    values["metrics"] = tuple(dict.fromkeys(METRICS.check(name) for name in metrics))
    if "seeds" in values:
        values["seeds"] = tuple(values["seeds"])
    values["fast"] = check_fast(values.get("fast", ()))
    options = values.get("options", {})
    for name in options:
        if name not in values["models"]:
            raise BenchError(f"Options are given for '{name}', which is not in --models. Add it, or omit its options.")
    values["options"] = {
        name: {**_preset_options(name, preset_name), **options.get(name, {})} for name in values["models"]
    }
    return RunConfig(**values)


def later_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that an older run's account lacks, with the defaults that describe what that run did.

    >>> later_keys({key: None for key in FIELDS if key != "ema"})
    {'ema': 0.0}
    """
    missing = dataclasses.MISSING
    return {name: key.default for name, key in FIELDS.items() if name not in config and key.default is not missing}


def _preset_options(model: str, preset: str) -> Mapping[str, Any]:
    """A model's own options under a preset; a plug-in that is only a function has none."""
    presets: Mapping[str, Mapping[str, Any]] = getattr(MODELS.load(model), "presets", {})
    return presets.get(preset, {})


def check_values(requested: Mapping[str, Any]) -> dict[str, Any]:
    """Check each value separately, and split comma-separated names into lists.

    Raises:
        BenchError: an unknown key, or a value that is not what `RunConfig` expects.
    """
    values = dict(requested)
    for key, value in requested.items():
        if key not in FIELDS:
            raise BenchError(f"There is no configuration key '{key}'.{did_you_mean(key, FIELDS)}")
        if key in ("models", "metrics", "fast") and isinstance(value, str):
            values[key] = [word.strip() for word in value.split(",") if word.strip()]
        if not FIELDS[key].metadata["fits"](values[key]):
            raise BenchError(f"{key} is {value!r}: expected {FIELDS[key].metadata['expected']}.")
    return values


def check_preset(name: str) -> str:
    """Return the preset's name, or raise a `BenchError` that suggests the nearest one."""
    if name not in PRESETS:
        raise BenchError(f"There is no preset '{name}'.{did_you_mean(name, PRESETS)}")
    return name


def read_config(path: Path) -> dict[str, Any]:
    """Read configuration keys from a TOML file, or those of a run from its `run.json`."""
    if path.suffix == ".json":
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
            raise BenchError(f"{path} is not the run.json of a run: expected its settings under 'config'.")
        return dict(content["config"])
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BenchError(f"There is no configuration file {path}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"The configuration file {path} is not valid TOML ({error}).") from error
    except OSError as error:  # a folder, or another user's file
        raise BenchError(f"The configuration file {path} cannot be read: {error.strerror}.") from error


def parse_setting(text: str) -> tuple[list[str], Any]:
    """Read `key=value` or `options.mdgan.width=16`; the value is TOML, or a plain word.

    >>> parse_setting("options.mdgan.width=16")
    (['options', 'mdgan', 'width'], 16)
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise BenchError(f"'{text}' is not a setting: expected key=value.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return key.strip().split("."), parsed


def apply_settings(values: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Override configuration values with `key=value` settings; a dotted key addresses nested tables."""
    result = copy.deepcopy(values)
    for text in settings:
        (*tables, last), value = parse_setting(text)
        target = result
        for name in tables:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise BenchError(f"'{text}' cannot be set: {name} is {target!r} and not a table of options.")
        target[last] = value
    return result


def as_command(config: Mapping[str, Any]) -> str:
    """The shortest `bench run` shell command for this configuration (as in `run.json`).

    Paths are kept as given, so a relative path refers to the folder in which the run was started.

    >>> as_command(make_config({"models": "vgan", "preset": "smoke", "steps": 5}).to_dict())
    'bench run --models vgan --dataset sky --preset smoke --steps 5'
    """
    config = {**later_keys(config), **config}
    models = list(config["models"])
    baseline = ALWAYS in models
    if models[-1:] == [ALWAYS] and len(models) > 1:
        models.pop()  # it is added by default
    same = make_config({"models": models, "preset": config["preset"], "dataset": config["dataset"]}, baseline=baseline)
    default = same.to_dict()
    words = ["bench", "run", "--models", ",".join(models), "--dataset", config["dataset"], "--preset", config["preset"]]
    settings = {}
    for key, value in config.items():
        if key in ("models", "dataset", "preset", "options") or value == default.get(key):
            continue
        if flag := FIELDS[key].metadata["flag"] if key in FIELDS else "":
            words += [flag, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
        else:
            settings[key] = value
    for model, options in config["options"].items():
        known = default["options"][model]
        settings |= {f"options.{model}.{key}": value for key, value in options.items() if known.get(key) != value}
    for key, value in settings.items():
        words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join([*words, *([] if baseline else ["--no-baseline"])])


def is_offline() -> bool:
    """Whether `BENCH_OFFLINE` forbids connections: it is set, and is not empty, 0, false, no or off."""
    return os.environ.get("BENCH_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")
