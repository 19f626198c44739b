"""Checkpoints: tensors and plain values only (read with `weights_only=True`), written atomically."""

from __future__ import annotations

import errno
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.data.clips import FRAMES
from bench.engine.build import build, native_resolution
from bench.errors import BenchError
from bench.files import atomic_path
from bench.interface import VideoModel

FORMAT = 1
#: In a checkpoint that only generates (`bench.pipeline.release`), and lacks what training needs: what it was made of.
RELEASED = "released"
#: How many resumable checkpoints a training keeps beside the best one.
KEEP = 3


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically."""
    with atomic_path(path) as part, part.open("wb") as file:  # a file, as torch would write a path's name into it
        try:
            torch.save({"format": FORMAT, **content}, file)
        except RuntimeError as error:  # what torch's archive writer makes of an OSError
            raise OSError(errno.ENOSPC, "the checkpoint could not be written") from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; anything that is none is a `BenchError` that names it."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BenchError(f"There is no checkpoint {path}.") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise BenchError(f"{path} is no checkpoint of this program, or only a part of one.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchError(f"{path} is no checkpoint of this program (format {FORMAT} is expected).")
    return content


def check_model(content: Mapping[str, Any], path: Path, expected: Mapping[str, Any]) -> None:
    """Raise a `BenchError` where a checkpoint is of another model, or of the same one with other settings."""
    for key, value in expected.items():
        there = content.get(key)
        if key == "training" and isinstance(there, Mapping):  # it may tell of settings that change no result
            there = {name: there.get(name) for name in value}
        if there != value:
            raise BenchError(
                f"{path} is a checkpoint of another model: its {key} is {there!r}, where {value!r} is due."
            )


def load_model(path: Path, name: str | None = None, resolution: int | None = None) -> tuple[VideoModel, dict[str, Any]]:
    """Build the model of a finished training.

    Args:
        path: a `model.pt`.
        name: the model it has to be of, if that is known.
        resolution: size that is scored, if the model has to fit it.

    Returns:
        The model in evaluation mode, and the checkpoint's own account of itself (without the weights).
    """
    content = load(path)
    if name is not None:
        check_model(content, path, {"model": name})
    if resolution is not None:
        check_model(content, path, {"resolution": native_resolution(content["model"], resolution)})
    check_model(content, path, {"frames": FRAMES})
    model = build(content["model"], content["options"], content["resolution"])
    spared = training_only(model) if RELEASED in content else set()
    own = {key: value for key, value in model.state_dict().items() if key in spared}
    try:
        model.load_state_dict({**own, **content["weights"]})
    except RuntimeError as error:
        raise BenchError(f"{path} does not fit the model '{content['model']}' as it is in this version.") from error
    return model.eval(), {key: value for key, value in content.items() if key not in ("weights", "optimizers", "rng")}


def training_only(model: VideoModel) -> set[str]:
    """Names of a model's tensors that no video depends on: those of networks that only other players look through."""
    players = [player for stage in model.stages() for player in stage.players]
    judges = [network for player in players for network in player.frozen]
    theirs = {id(module) for network in judges for module in network.modules()}
    owners = {id(module): name for name, module in model.named_modules(remove_duplicate=False)}
    names = [name for module, name in owners.items() if module in theirs]
    return {key for key in model.state_dict() if key.rpartition(".")[0] in names}


def progress_of(path: Path) -> tuple[int, int]:
    """Stage and step in a resumable checkpoint's name."""
    match = re.fullmatch(r"stage(\d+)-(\d+)\.pt", path.name)
    assert match is not None
    return int(match[1]), int(match[2])


def resumable(folder: Path) -> list[Path]:
    """Resumable checkpoints of a training, oldest first."""
    names = (path for path in folder.glob("stage*-*.pt") if re.fullmatch(r"stage\d+-\d+\.pt", path.name))
    return sorted(names, key=progress_of)


def newest(folder: Path, expected: Mapping[str, Any]) -> dict[str, Any] | None:
    """The newest resumable checkpoint of a training, or None where there is none."""
    paths = resumable(folder)
    if not paths:
        return None
    content = load(paths[-1])
    check_model(content, paths[-1], expected)
    return content


def prune(folder: Path) -> None:
    """Remove all resumable checkpoints but the last few."""
    for path in resumable(folder)[:-KEEP]:
        path.unlink()
