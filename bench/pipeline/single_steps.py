"""Single steps of the pipeline, for `bench train`, `generate`, `report` and `data pack`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from bench.config import RunConfig
from bench.data.dataset import Dataset
from bench.data.packed_clips import pack
from bench.engine.devices import make_fabric
from bench.engine.generate import PublishedModel, TrainedModel, generate_published, generate_rows
from bench.engine.model_factory import native_resolution
from bench.engine.train import train
from bench.files import sole_writer
from bench.pipeline.parallel_training import open_packs
from bench.pipeline.run import data_of
from bench.progress import console
from bench.report.tables.score_table import ScoreTable
from bench.runfolder import RunFolder


def train_alone(config: RunConfig, out: Path) -> Path:
    """Train the configuration's one model with its one seed into `out`; returns its `model.pt`."""
    (name,), (seed,) = config.models, config.seeds
    fabric = make_fabric(config.device, config.precision)
    size = native_resolution(name, config.resolution)
    if size != config.resolution and fabric.is_global_zero:
        message = f"{name} is trained at {size}×{size}, its largest size up to {config.resolution}."
        console().print(message, markup=False, soft_wrap=True)
    with sole_writer(RunFolder(out)) if fabric.is_global_zero else nullcontext():
        packs = open_packs(data_of(config).manifest(config.resolution, ("train",)), size)
        return train(config, name, seed, *packs, out, fabric)


def generate_alone(
    source: TrainedModel | PublishedModel, dataset: Dataset, resolution: int, out: Path, device: str
) -> list[Path]:
    """Generate the rows of a trained or published model for a dataset's test clips.

    Args:
        source: the trained or published model.
        dataset: dataset whose test clips are continued.
        resolution: resolution of the synthetic dataset, if that is continued.
        out: folder that will contain one folder per row.
        device: "auto", "cpu" or "cuda".

    Returns:
        The rows' folders.
    """
    fabric = make_fabric(device)
    manifest, place = dataset.manifest(resolution, ("test",)), str(fabric.device)
    if isinstance(source, PublishedModel):
        return list(generate_published(source, out, manifest, place, fabric).values())
    return list(generate_rows(source, out, manifest, place, fabric).values())


def pack_data(dataset: Dataset, resolution: int, workers: int | None = None) -> list[Path]:
    """Build the packs of a dataset's training and validation clips; returns their files."""
    manifest = dataset.manifest(resolution, ("train",))
    splits = [clips for split in ("train", "val") if (clips := manifest.split(split))]
    return [pack(clips, manifest.root, resolution, workers=workers).path for clips in splits]


def report_alone(out: Path, ci: bool, study: Path | None, holm: bool = False) -> ScoreTable:
    """Report a folder that no other command is writing to; see `bench.report.build_report.report`."""
    from bench.report.build_report import report
    from bench.report.tables.score_table import stored_table  # here because matplotlib is slow to import

    stored_table(out)  # refuse a folder without scores before `sole_writer` creates it
    with sole_writer(RunFolder(out)):
        return report(out, ci, study, holm)
