"""Single steps of the pipeline on their own, as `bench train`, `generate` and `data pack` need them."""

from __future__ import annotations

from pathlib import Path

from bench.config import RunConfig
from bench.data.clips import build_manifest
from bench.data.dataset import find_data
from bench.data.pack import pack
from bench.engine.build import native_resolution
from bench.engine.devices import make_fabric
from bench.engine.generate import generate_published, generate_rows
from bench.engine.train import train
from bench.errors import BenchError
from bench.pipeline.run import open_packs


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
    fabric = make_fabric(device)
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",))
    folders = generate_rows(checkpoint, out, manifest, str(fabric.device), name, fabric=fabric)
    return list(folders.values())


def generate_from_published(
    name: str | None,
    stage1: Path | None,
    stage2: Path | None,
    batch_norm: str,
    dataset: str,
    data_root: str,
    resolution: int,
    out: Path,
    device: str,
) -> list[Path]:
    """Generate with the checkpoints that a model's authors published; returns the rows' folders below `out`."""
    if name is None or stage1 is None or stage2 is None:
        raise BenchError("Published checkpoints need --model, --published-s1 and --published-s2.")
    fabric = make_fabric(device)
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",))
    folders = generate_published(name, stage1, stage2, batch_norm, out, manifest, str(fabric.device), fabric)
    return list(folders.values())


def pack_data(dataset: str, data_root: str, resolution: int, workers: int | None = None) -> list[Path]:
    """Build the packs of a dataset's training and validation clips; returns their files."""
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("train",))
    splits = [clips for split in ("train", "val") if (clips := manifest.split(split))]
    return [pack(clips, manifest.root, resolution, workers=workers).path for clips in splits]
