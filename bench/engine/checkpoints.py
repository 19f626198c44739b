"""Checkpoints: finite tensors and plain values only (read with `weights_only=True`), written atomically."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch

from bench.data.clips import FRAMES
from bench.engine.model_factory import build, native_resolution
from bench.errors import BenchError
from bench.files import atomic_path
from bench.interface import VideoModel
from bench.progress import console

FORMAT = 1
#: Key that marks a generation-only checkpoint (`bench.pipeline.release`), without training state; value: its origin.
RELEASED = "released"
#: How many resumable checkpoints a training run keeps in addition to the best one.
KEEP = 3


#: Advice for numbers that are not finite.
ADVICE = (
    "Lower the learning rate. If the same settings train on other machines, "
    "check this machine with `bench doctor --numerics`."
)


def tensors(content: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor in nested mappings and lists, with its path, such as `weights.generator.conv2.0.weight`."""
    if isinstance(content, torch.Tensor):
        yield name, content
    elif isinstance(content, Mapping | list | tuple):
        items = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, value in items:
            yield from tensors(value, f"{name}.{key}" if name else str(key))


@torch.no_grad()
def not_finite(content: Any) -> list[str]:
    """Paths of the tensors that contain a NaN or an infinity, among weights, moments and averages alike."""
    found = [(name, tensor) for name, tensor in tensors(content) if tensor.is_floating_point()]
    if not found:
        return []
    # One transfer per device, because each transfer waits for the device.
    checks: dict[torch.device, list[torch.Tensor]] = {}
    for _, tensor in found:
        checks.setdefault(tensor.device, []).append(tensor.isfinite().all())
    finite = {device: iter(torch.stack(values).tolist()) for device, values in checks.items()}
    return [name for name, tensor in found if not next(finite[tensor.device])]


def not_finite_message(places: list[str], content: Any) -> str:
    """A message with the number of the content's tensors that are not finite.

    >>> not_finite_message(["a"], {"a": torch.tensor(float("nan")), "b": torch.tensor(1.0)})
    '1 of 2 tensors are not finite (first a)'
    """
    total = sum(1 for _ in tensors(content))
    return f"{len(places)} of {total} tensors are not finite (first {places[0]})"


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically.

    Raises:
        BenchError: a tensor is not finite, which would make the checkpoint useless; or the disk is full.
    """
    if bad := not_finite(content):
        raise BenchError(f"{path} was not written: {not_finite_message(bad, content)}. {ADVICE}")
    with atomic_path(path) as part, part.open("wb") as file:  # a file, because torch would store a path's name
        writer = _Writer(file)
        try:
            torch.save({"format": FORMAT, **content}, cast(IO[bytes], writer))
        except RuntimeError as error:
            # torch's archive writer turns an OSError into a RuntimeError. A device that is read also raises that type.
            raise (writer.failed or error) from error


class _Writer:
    """A file that remembers why a write failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failed = error
            raise

    def flush(self) -> None:
        self._file.flush()


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; for anything else, raise a `BenchError` that names the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BenchError(f"There is no checkpoint {path}.") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise BenchError(f"{path} is not a timelapse-bench checkpoint, or is truncated.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchError(f"{path} is not a timelapse-bench checkpoint (format {FORMAT} is expected).")
    return content


def check_model(content: Mapping[str, Any], path: Path, expected: Mapping[str, Any]) -> None:
    """Raise a `BenchError` if a checkpoint belongs to another model, or to the same one with other settings."""
    for key, value in expected.items():
        stored = content.get(key)
        if key == "training" and isinstance(stored, Mapping):  # it may contain settings that change no result
            stored = {name: stored.get(name) for name in value}
        if stored != value:
            raise BenchError(f"{path} is a checkpoint of another model: its {key} is {stored!r}, expected {value!r}.")


def load_model(path: Path, name: str | None = None, resolution: int | None = None) -> tuple[VideoModel, dict[str, Any]]:
    """Build the model of a finished training run.

    Args:
        path: a `model.pt`.
        name: name of the expected model, if known.
        resolution: scored size, if the model must fit it.

    Returns:
        The model in evaluation mode, and the checkpoint's description of itself (without the weights).
    """
    content = load(path)
    if bad := not_finite(content["weights"] if isinstance(content.get("weights"), Mapping) else ()):
        raise BenchError(
            f"{path} cannot generate videos: {not_finite_message(bad, content['weights'])}. "
            f"Delete it and train again. {ADVICE}"
        )
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
        raise BenchError(
            f"{path} does not fit the model '{content['model']}' as defined in this version. Train it again, or "
            "install the version that trained it."
        ) from error
    return model.eval(), {key: value for key, value in content.items() if key not in ("weights", "optimizers", "rng")}


def training_only(model: VideoModel) -> set[str]:
    """Names of the tensors that no video depends on: those of networks that are only frozen judges of other players."""
    players = [player for stage in model.stages() for player in stage.players]
    judges = [network for player in players for network in player.frozen]
    judge_modules = {id(module) for network in judges for module in network.modules()}
    owners = {id(module): name for name, module in model.named_modules(remove_duplicate=False)}
    names = [name for module, name in owners.items() if module in judge_modules]
    return {key for key in model.state_dict() if key.rpartition(".")[0] in names}


def progress_of(path: Path) -> tuple[int, int]:
    """Stage and step in a resumable checkpoint's name."""
    match = re.fullmatch(r"stage(\d+)-(\d+)\.pt", path.name)
    assert match is not None
    return int(match[1]), int(match[2])


def resumable(folder: Path) -> list[Path]:
    """Resumable checkpoints of a training run, oldest first."""
    names = (path for path in folder.glob("stage*-*.pt") if re.fullmatch(r"stage\d+-\d+\.pt", path.name))
    return sorted(names, key=progress_of)


def newest(folder: Path, expected: Mapping[str, Any]) -> Path | None:
    """The newest resumable checkpoint of a training run that can be read and is finite; None if there is none.

    Newer ones that are truncated or not finite are skipped with a message, so the run loses a few steps.

    Raises:
        BenchError: the checkpoint belongs to another training run, or there are checkpoints but none is usable.
    """
    complaints = []
    for path in reversed(resumable(folder)):
        try:
            content = load(path)
        except BenchError as error:
            complaints.append(str(error).rstrip("."))
            continue
        check_model(content, path, expected)
        if not (bad := not_finite(content)):
            if complaints:
                message = f"{'; '.join(complaints)}. Training resumes from {path.name}."
                console().print(message, style="yellow", markup=False, soft_wrap=True)
            return path
        complaints.append(f"In {path}, {not_finite_message(bad, content)}")
    if complaints:
        raise BenchError(f"{'; '.join(complaints)}. To train from the start, delete the checkpoints in {folder}.")
    return None


def prune(folder: Path) -> None:
    """Remove all resumable checkpoints except the last few."""
    for path in resumable(folder)[:-KEEP]:
        path.unlink()
