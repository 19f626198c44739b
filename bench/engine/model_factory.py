"""From a registered name to a model, with its options checked; and what is known of it without building it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from bench.data.clips import FRAMES
from bench.errors import BenchError, did_you_mean
from bench.interface import ModelFactory, Options, VideoModel
from bench.registry import MODELS


def result_rows(name: str) -> tuple[str, ...]:
    """The result rows that a registered model gives, in the order of a table."""
    return tuple(MODELS.load(name).rows)


def rows_account(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What `run.json` keeps of each row, so that a report needs no model: whose it is, its title and colour.

    Args:
        names: of registered models.
    """
    models: dict[str, Any] = {name: MODELS.load(name) for name in names}
    return {
        row: {
            "model": name,
            "title": getattr(model, "titles", {}).get(row, row),
            "colour": getattr(model, "colours", {}).get(row, ""),
        }
        for name, model in models.items()
        for row in model.rows
    }


def native_resolution(name: str, resolution: int) -> int:
    """The size a model works at when `resolution` is scored: the largest it exists for that is not above it."""
    sizes: tuple[int, ...] = MODELS.load(name).resolutions
    if not sizes:
        return resolution
    if resolution < sizes[0]:
        known = " and ".join(f"{size}×{size}" for size in sizes)
        raise BenchError(f"The model '{name}' supports {known}, not {resolution}×{resolution} pixels.")
    return max(size for size in sizes if size <= resolution)


def option_names(factory: ModelFactory) -> set[str]:
    """Names of the options that a model's constructor takes."""
    if settings := getattr(factory, "Settings", None):
        return {field.name for field in dataclasses.fields(settings)}
    return set(inspect.signature(factory).parameters) - {"resolution", "frames"}


def all_options(factory: ModelFactory, options: Options) -> dict[str, Any]:
    """A model's options with the defaults of those that are not given."""
    if settings := getattr(factory, "Settings", None):
        known = {field.name: field.default for field in dataclasses.fields(settings)}
    else:
        known = {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}
    return {**{key: value for key, value in known.items() if key not in ("resolution", "frames")}, **options}


def departures(name: str, options: Options) -> dict[str, str]:
    """What a model's options do otherwise than its paper's (its preset of that name), by option.

    >>> departures("vgan", {"width": 16})
    {'width': '16 (128)'}
    """
    factory = MODELS.load(name)
    papers: Options | None = getattr(factory, "presets", {}).get("paper")
    if papers is None:
        return {}
    own_options, paper_options = all_options(factory, options), all_options(factory, papers)
    return {
        key: f"{_in_words(own_options[key])} ({_in_words(paper_options[key])})"
        for key in own_options
        if own_options[key] != paper_options.get(key)
    }


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def build(name: str, options: Options, resolution: int, seed: int = 0) -> VideoModel:
    """Construct a model with weights drawn from `seed`, whatever was drawn before and whichever models stand beside it.

    Args:
        name: registered name.
        options: its own constructor options.
        resolution: size that is scored; the model takes its own from it (`native_resolution`).
        seed: of the weights.

    >>> build("vgan", {"width": 4}, resolution=128).resolution  # its largest size that is not above what is scored
    64

    Raises:
        BenchError: unknown model or option, or an option's value that the model refuses.
    """
    factory: ModelFactory = MODELS.load(name)
    known = option_names(factory)
    for option in options:
        if option not in known:
            raise BenchError(f"The model '{name}' has no option '{option}'.{did_you_mean(option, known)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory(resolution=native_resolution(name, resolution), frames=FRAMES, **options)


def check_options(options: Mapping[str, Options], resolution: int) -> None:
    """Raise what `build` would raise for these models, without the memory and the time of their networks.

    Args:
        options: of each model.
        resolution: size that is scored.
    """
    with torch.device("meta"):
        for name, own in options.items():
            build(name, own, resolution)
