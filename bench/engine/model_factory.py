"""Build models from registered names with checked options, and look up their properties without building them."""

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
    """The result rows of a registered model, in the order of a table."""
    return tuple(MODELS.load(name).rows)


def rows_account(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Model, title and colour of each row, stored in `run.json` so that a report does not need the model.

    Args:
        names: names of registered models.
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
    """The size at which a model works if `resolution` is scored: its largest size that is not above it."""
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
    """A model's options, with defaults for those that are not given."""
    if settings := getattr(factory, "Settings", None):
        known = {field.name: field.default for field in dataclasses.fields(settings)}
    else:
        known = {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}
    return {**{key: value for key, value in known.items() if key not in ("resolution", "frames")}, **options}


def departures(name: str, options: Options) -> dict[str, str]:
    """A model's options that differ from its preset "paper", each with the paper's value in parentheses.

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
    """Construct a model with weights drawn from `seed`, independently of earlier draws and of other models.

    Args:
        name: registered name.
        options: the model's own constructor options.
        resolution: scored size, from which the model derives its own (`native_resolution`).
        seed: seed for the weights.

    >>> build("vgan", {"width": 4}, resolution=128).resolution  # its largest size that is not above what is scored
    64

    Raises:
        BenchError: the model or an option is unknown, or the model rejects an option's value.
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
    """Raise what `build` would raise for these models, without the memory and the time for their networks.

    Args:
        options: options of each model.
        resolution: scored size.
    """
    with torch.device("meta"):
        for name, own in options.items():
            build(name, own, resolution)
