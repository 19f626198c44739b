"""Single steps of the pipeline on their own, as `bench train`, `generate`, `score` and `data pack` need them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.config import CHOICES, RunConfig
from bench.data.clips import build_manifest
from bench.data.embedded import dataset_title, find_data
from bench.data.pack import pack
from bench.errors import BenchError
from bench.generate import generate_rows
from bench.models import native_resolution
from bench.predictions import Predictions
from bench.registry import METRICS
from bench.report.tables import Table
from bench.run import open_packs
from bench.score import Source, score
from bench.train import make_fabric, pick_device, train


def train_alone(config: RunConfig, out: Path) -> Path:
    """Train the configuration's one model with its one seed into `out`; returns its `model.pt`."""
    (name,), (seed,) = config.models, config.seeds
    fabric = make_fabric(config.device, config.precision)
    root = find_data(config.dataset, config.data_root, config.resolution)
    manifest = build_manifest(config.dataset, root, ("train",))
    packs = open_packs(manifest, native_resolution(name, config.resolution))
    return train(config, name, seed, *packs, out, fabric)


def generate_alone(
    checkpoint: Path, name: str | None, dataset: str, data_root: str, resolution: int, out: Path, device: str
) -> list[Path]:
    """Generate the rows of a trained model for a dataset's test clips; returns their folders below `out`."""
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",))
    folders = generate_rows(checkpoint, out, manifest, pick_device(device), name)
    return list(folders.values())


def named_folders(texts: Sequence[str]) -> dict[str, Path]:
    """Read `FOLDER` or `NAME=FOLDER`, each name once; a folder's own name is its last part."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        path = Path(folder) if equals and not Path(text).exists() else Path(text)
        name = name if path != Path(text) else path.resolve().name
        if name in folders:
            raise BenchError(f"Two prediction folders are called '{name}': give one of them another name, NAME=FOLDER.")
        folders[name] = path
    return folders


def score_folders(
    texts: Sequence[str],
    out: Path,
    *,
    dataset: str,
    data_root: str,
    resolution: int,
    metrics: Sequence[str] = (),
    frames: str = "all",
    count: int | None = None,
    allow_partial: bool = False,
    workers: int | None = None,
) -> Table:
    """Score anybody's folders against a dataset's test split and leave scores, tables and figures in `out`.

    Args:
        texts: `FOLDER` or `NAME=FOLDER`.
        metrics: registered names, all of them by default.

    Others as in `bench.score.score`.
    """
    from bench.report.make import report  # here: matplotlib is slow to import, and training needs none

    names = [METRICS.check(name) for name in metrics] or list(METRICS)
    if frames not in CHOICES["frames"]:
        raise BenchError(f"frames is '{frames}': expected one of {', '.join(CHOICES['frames'])}.")
    if (out / "run.json").exists():
        raise BenchError(f"{out} belongs to a `bench run`: choose another folder with --out.")
    sources = [Source(name, Predictions(folder)) for name, folder in named_folders(texts).items()]
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",))
    score(
        sources,
        manifest,
        out,
        resolution=resolution,
        metrics=names,
        frames=frames,
        count=count,
        allow_partial=allow_partial,
        dataset=dataset_title(dataset, data_root),
        workers=workers,
    )
    return report(out)


def pack_data(dataset: str, data_root: str, resolution: int, workers: int | None = None) -> list[Path]:
    """Build the packs of a dataset's training and validation clips; returns their files."""
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("train",))
    splits = [clips for split in ("train", "val") if (clips := manifest.split(split))]
    return [pack(clips, manifest.root, resolution, workers=workers).path for clips in splits]
