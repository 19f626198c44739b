"""The pipeline behind `bench run`: clips → models → predictions → scores → report, each step once.

Everything lies in one run folder. A killed run that is started again with the same settings goes on where it stopped;
with other settings it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from bench.config import RunConfig
from bench.data.clips import Manifest, build_manifest, sample
from bench.data.dataset import dataset_title, find_data
from bench.data.pack import Pack, pack
from bench.data.predictions import REAL, Predictions
from bench.data.video import resize
from bench.engine.build import build, native_resolution, result_rows
from bench.engine.devices import make_fabric
from bench.engine.generate import generate_rows, store_real
from bench.engine.train import train
from bench.errors import BenchError
from bench.files import disk_error, read_json, write_json
from bench.provenance import provenance
from bench.report.tables import Table
from bench.scoring.rows import Source
from bench.scoring.score import score
from bench.scoring.sets import share_features

if TYPE_CHECKING:
    from lightning.fabric import Fabric

FORMAT = 1
STEPS = ("data", "train", "generate", "score", "report")


class RunFolder:
    """A run's folder and its `run.json`: configuration, protocol, provenance, status of each step."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path = path
        self.config = config
        self._file = path / "run.json"
        if self._file.exists():
            self.content: dict[str, Any] = read_json(self._file)
            self._check_settings()
        elif path.is_dir() and any(p.name != "run.lock" and not p.name.startswith(".part-") for p in path.iterdir()):
            raise BenchError(f"{path} is not empty and is no run folder: choose another with --out.")
        else:
            self.content = {"format": FORMAT, "config": config.to_dict(), "steps": dict.fromkeys(STEPS, "due")}
            self.save()

    def _check_settings(self) -> None:
        theirs, ours = self.content["config"], self.config.to_dict()
        differing = [key for key in ours if theirs.get(key) != ours[key]]
        if differing:
            what = ", ".join(f"{key} was {theirs.get(key)!r} and is now {ours[key]!r}" for key in differing)
            raise BenchError(f"{self.path} belongs to a run with other settings ({what}): choose another with --out.")

    def save(self) -> None:
        """Write `run.json`."""
        write_json(self._file, self.content)

    def update(self, **values: Any) -> None:
        """Set entries of `run.json`."""
        self.content.update(values)
        self.save()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Mark a step as running, then as done; a failure leaves it as failed."""
        self.content["steps"][name] = "running"
        self.save()
        try:
            yield
        except BaseException:
            self.content["steps"][name] = "failed"
            self.save()
            raise
        self.content["steps"][name] = "done"
        self.save()

    def predictions(self, row: str, seed: int) -> Path:
        """Folder of a row's predictions: `<row>` for the run's first seed, `<row>@<seed>` for further ones."""
        first = seed == self.config.seeds[0]
        return self.path / "predictions" / (row if first else f"{row}@{seed}")

    def checkpoint(self, name: str, seed: int) -> Path:
        """Folder of a training."""
        return self.path / "checkpoints" / f"{name}-{seed}"


def run(config: RunConfig, out: Path, *, offline: bool = False, ci: bool = False) -> Table:
    """Train, generate, score and report; returns the table.

    With `offline` no missing weights are fetched, with `ci` the tables print intervals.

    Raises:
        BenchError: anything a person can act on; what was finished before stays and is not done again.
    """
    for name in config.models:  # before anything is read or written: names, sizes and options have to fit
        build(name, config.options.get(name, {}), config.resolution)
    fabric = make_fabric(config.device, config.precision)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / "run.lock", timeout=0) if fabric.is_global_zero else _nothing():
            return _run(config, out, fabric, offline, ci)
    except Timeout as error:
        raise BenchError(
            f"{out} is in use by another `bench run`: wait for it, or choose another with --out."
        ) from error
    except OSError as error:
        raise disk_error(error, out) from error


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _run(config: RunConfig, out: Path, fabric: Fabric, offline: bool, ci: bool) -> Table:
    from bench.report.make import report, stored_table  # here and not above: matplotlib is slow to import

    first = fabric.is_global_zero
    if first:
        folder = RunFolder(out, config)
        for left in out.rglob(".part-*"):  # of a killed process: this one holds the lock
            left.unlink()
        if "provenance" not in folder.content:  # what a finished run was made with does not change when it is looked at
            folder.update(provenance=provenance(fabric.device.type))
        with folder.step("data"):
            manifest = read_data(config, out)
    fabric.barrier()
    folder = RunFolder(out, config)
    manifest = Manifest.load(out / "clips.jsonl")
    with folder.step("train") if first else _nothing():
        finished = {
            (n, s): train_one(config, n, s, manifest, folder, fabric) for s in config.seeds for n in config.models
        }
    with folder.step("generate") if first else _nothing():
        sources = [
            source
            for (name, seed), checkpoint in finished.items()
            for source in generate_one(config, name, seed, checkpoint, manifest, folder, fabric)
        ]
    if fabric.world_size > 1:
        share_scoring(config, sources, manifest, folder, fabric)
    if not first:
        fabric.barrier()
        return stored_table(out)
    with folder.step("score"):
        scores = score(
            sources,
            manifest,
            out,
            resolution=config.resolution,
            metrics=config.metrics,
            frames=config.frames,
            dataset=dataset_title(config.dataset, config.data_root),
            offline=offline,
        )
        folder.update(protocol=scores.protocol.to_dict())
    with folder.step("report"):
        table = report(out, ci)
    fabric.barrier()
    return table


def share_scoring(
    config: RunConfig, sources: list[Source], manifest: Manifest, folder: RunFolder, fabric: Fabric
) -> None:
    """Extract the features of set metrics on all processes; the first one scores with them."""
    ids = [clip.id for clip in manifest.split("test")]
    rows = [source.predictions for source in sources] + [Predictions(folder.path / "predictions" / REAL)]
    readers = [partial(lambda row, id: resize(row.read(id), config.resolution), row) for row in rows]
    share_features(config.metrics, readers, ids, config.frames, fabric.global_rank, fabric.world_size)
    fabric.barrier()


def read_data(config: RunConfig, out: Path) -> Manifest:
    """Index the data into `clips.jsonl` and keep the real test clips; both only once for a run."""
    path = out / "clips.jsonl"
    root = find_data(config.dataset, config.data_root, config.resolution)
    if not path.exists():
        manifest = build_manifest(config.dataset, root)
        test = {clip.id for clip in sample(manifest.split("test"), config.clips)}
        kept = tuple(clip for clip in manifest.clips if clip.split != "test" or clip.id in test)
        replace(manifest, clips=kept).save(path)
    manifest = Manifest.load(path)
    made_by = {"dataset": dataset_title(config.dataset, config.data_root), "clips": manifest.hashes["test"]}
    store_real(manifest.split("test"), manifest.root, config.resolution, out / "predictions" / REAL, made_by)
    return manifest


def train_one(config: RunConfig, name: str, seed: int, manifest: Manifest, folder: RunFolder, fabric: Fabric) -> Path:
    """Train one model with one seed; a model without stages is only written down."""
    final = folder.checkpoint(name, seed) / "model.pt"
    if fabric.broadcast(final.exists()):
        return final
    size = native_resolution(name, config.resolution)
    return train(config, name, seed, *open_packs(manifest, size), final.parent, fabric)


def open_packs(manifest: Manifest, resolution: int) -> tuple[Pack, Pack | None]:
    """The training clips and, where there are any, the validation clips at a model's size."""
    validation = manifest.split("val")
    return (
        pack(manifest.split("train"), manifest.root, resolution),
        pack(validation, manifest.root, resolution) if validation else None,
    )


def generate_one(
    config: RunConfig, name: str, seed: int, checkpoint: Path, manifest: Manifest, folder: RunFolder, fabric: Fabric
) -> list[Source]:
    """Generate the rows of one trained model and open them for scoring."""
    rows = {row: folder.predictions(row, seed) for row in result_rows(name)}
    parts = folder.path / "parts" / name if seed == config.seeds[0] else None
    generate_rows(checkpoint, rows, manifest, str(fabric.device), name, config.resolution, fabric, parts)
    return [Source(row, Predictions(path), seed) for row, path in rows.items()]
