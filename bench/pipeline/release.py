"""`bench release`: checkpoints of finished runs made small enough to publish, each checked against its original.

A release contains only the weights that videos depend on: no discriminators, no optimisers. Before a file is kept, the
model built from it and the run's own model both continue synthetic first frames. In float32, every byte must be equal.
In float16, which halves a file, no value may be off by more than `LEVELS` of 255.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data.batches import to_tensor
from bench.data.predictions import to_uint8
from bench.data.readers.video import resize
from bench.data.synthetic.generate import BEACH_SCENES, SIZES, SKY_SCENES, beach_clip, sky_clip
from bench.engine import checkpoints
from bench.engine.generate import for_generation
from bench.errors import BenchError
from bench.files import in_words, read_json, sha256, write_json, write_text
from bench.interface import VideoModel
from bench.registry import SYNTHETIC
from bench.runfolder import MODEL, RunFolder

#: Files next to the checkpoints: their hashes as `sha256sum -c` reads them, and a description of each.
HASHES, LIST = "SHA256SUMS", "release.json"
#: Default limit on the size of a file, in bytes.
LARGEST = 20_000_000
#: How far a value of a video, in levels of 255, may be from the run's own if weights are stored in float16.
LEVELS = 1
#: Precisions of the weights in a file.
PRECISIONS = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Release:
    """A released checkpoint.

    Attributes:
        file: name of the file.
        bytes, sha256: size and hash of the file.
        model, seed, steps: model and seed of the training run, and its steps in each stage.
        trained_on: the dataset as it appears on tables; empty if no run records it.
        precision: precision of the weights in the file.
        of: SHA-256 of the run's own checkpoint.
        levels: largest difference of a value in the checked videos from the run's own, in levels of 255.
    """

    file: str
    bytes: int
    sha256: str
    model: str
    seed: int
    steps: int
    trained_on: str
    precision: str
    of: str
    levels: int


def release(runs: Sequence[Path], to: Path, precision: str = "float32", largest: int = LARGEST) -> list[Release]:
    """Make a checkpoint for generation from each training run, `<run>-<model>-<seed>.pt`, with a list of hashes.

    Args:
        runs: run folders, or folders of `bench train`.
        to: folder for the files; those of an earlier release stay in its list.
        precision: precision of the weights in the files.
        largest: limit on the size of a file, in bytes.

    Raises:
        BenchError: a folder has no finished training run, two files would have the same name, a file is too large, or
            videos of a float16 file are too far from the run's own. Files that fail the check are not kept.
    """
    if precision not in PRECISIONS:
        raise BenchError(f"Weights are saved as {' or '.join(PRECISIONS)}, not as '{precision}'.")
    finished = [(name, model, run) for run in runs for name, model in _finished(run)]
    names = [name for name, _, _ in finished]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BenchError(f"Two checkpoints would be called {sorted(twice)[0]}: release these runs into two folders.")
    made = [_release(model, to / name, precision, largest, _trained_on(run)) for name, model, run in finished]
    known = read_json(to / LIST) if (to / LIST).exists() else []
    listed = [*(one for one in known if one["file"] not in names), *map(asdict, made)]
    listed.sort(key=lambda one: str(one["file"]))
    write_json(to / LIST, listed)
    write_text(to / HASHES, "".join(f"{one['sha256']}  {one['file']}\n" for one in listed))
    return made


def _finished(run: Path) -> Iterator[tuple[str, Path]]:
    """Names of a run's releases, each with its source checkpoint; untrained models have none."""
    folder = RunFolder(run)
    alone = [run / MODEL] if (run / MODEL).is_file() else []
    found = alone or sorted(folder.all_checkpoints.glob(f"*/{MODEL}"))
    weighty = [path for path in found if checkpoints.load(path)["weights"]]
    if not weighty:
        raise BenchError(
            f"{run} contains no finished training run. Give the folder of a finished `bench run` or `bench train`."
        )
    for path in weighty:
        name = run.resolve().name
        yield f"{name}.pt" if alone else f"{name}-{path.parent.name}.pt", path


def _trained_on(run: Path) -> str:
    account = RunFolder(run).account
    config: dict[str, Any] = read_json(account).get("config", {}) if account.is_file() else {}
    if not config:
        return ""
    return f"{SYNTHETIC}-{config['dataset']}" if config["data_root"] == SYNTHETIC else str(config["dataset"])


def _release(source: Path, target: Path, precision: str, largest: int, trained_on: str) -> Release:
    model, account = checkpoints.load_model(source)
    spared, kind = checkpoints.training_only(model), PRECISIONS[precision]
    weights = {
        key: value.to(kind) if value.is_floating_point() else value
        for key, value in model.state_dict().items()
        if key not in spared
    }
    of = sha256(source)
    released = {"of": of, "precision": precision}
    waiting = target.with_name(f"{target.name}.unchecked")
    try:
        checkpoints.save(waiting, {**account, checkpoints.RELEASED: released, "weights": weights})
        size = waiting.stat().st_size
        if size > largest:
            smaller = "" if precision == "float16" else "; --precision float16 would halve it"
            raise BenchError(
                f"{target.name} would have {in_words(size)}, more than the limit of {in_words(largest)}. To "
                f"raise the limit, use --largest-mb{smaller}."
            )
        levels = farthest(model, checkpoints.load_model(waiting)[0])
        if levels > (LEVELS if precision == "float16" else 0):
            raise BenchError(
                f"{target.name} generates other videos than {source}: a value differs by {levels} of 255"
                + (f", at most {LEVELS} are allowed. Release it in float32." if precision == "float16" else ".")
            )
        waiting.replace(target)
    finally:
        waiting.unlink(missing_ok=True)
    steps = account.get("training", {}).get("steps", 0)
    facts = (account["model"], account.get("seed", 0), steps, trained_on, precision, of, levels)
    return Release(target.name, size, sha256(target), *facts)


def farthest(one: VideoModel, other: VideoModel) -> int:
    """Largest difference between two models' values in any row's synthetic videos, in levels of 255."""
    for_generation(one), for_generation(other)
    most = 0
    for frame in first_frames(one.resolution):
        first, second = one.predict_rows(frame, one.rows), other.predict_rows(frame, one.rows)
        for row in one.rows:
            pair = [to_uint8(video[row].float().numpy()).astype(np.int16) for video in (first, second)]
            most = max(most, int(np.abs(pair[0] - pair[1]).max()))
    return most


def first_frames(resolution: int) -> Iterable[torch.Tensor]:
    """The first frame of a synthetic scene of each kind, `[1, 3, H, W]` in [-1, 1], one after the other."""
    size = min(SIZES, key=lambda known: abs(known - resolution))
    for scenes, paint in ((SKY_SCENES, sky_clip), (BEACH_SCENES, beach_clip)):
        for scene in scenes:
            yield to_tensor(resize(paint(scene, 0, size, 1), resolution)[None], "cpu")[:, :, 0]
