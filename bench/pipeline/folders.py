"""`bench score`: anybody's folders of videos against a dataset's test split, or against another folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.data.clips import FRAMES, build_manifest
from bench.data.dataset import dataset_title, find_data
from bench.data.predictions import Predictions
from bench.data.reference import reference_manifest, unzipped
from bench.errors import BenchError
from bench.registry import METRICS, SYNTHETIC
from bench.report.tables import Table
from bench.scoring.rows import Source
from bench.scoring.score import score


def named_folders(texts: Sequence[str]) -> dict[str, Path]:
    """Read `FOLDER` or `NAME=FOLDER`, each name once; a folder's own name is its last part, without `.zip`."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        path = Path(folder) if equals and not Path(text).exists() else Path(text)
        name = name if path != Path(text) else path.resolve().name.removesuffix(".zip")
        if name in folders:
            raise BenchError(f"Two prediction folders are called '{name}': give one of them another name, NAME=FOLDER.")
        folders[name] = path
    return folders


def score_folders(
    texts: Sequence[str],
    out: Path,
    *,
    dataset: str = "sky",
    data_root: str = SYNTHETIC,
    reference: Path | None = None,
    resolution: int = 128,
    metrics: Sequence[str] = (),
    frames: str = "all",
    count: int | None = None,
    allow_partial: bool = False,
    workers: int | None = None,
    offline: bool = False,
    ci: bool = False,
) -> Table:
    """Score folders and leave scores, tables and figures in `out`.

    Args:
        texts: `FOLDER` or `NAME=FOLDER`; a zip archive is a folder too.
        out: folder for the results; not that of a `bench run`.
        dataset: registered name.
        data_root: its folder, or "synthetic".
        reference: a folder of videos that stands for the real clips, in place of a dataset.
        metrics: registered names, all of them by default.
        ci: print intervals in the tables.

    Others as in `bench.scoring.score.score`.
    """
    from bench.report.make import report  # here: matplotlib is slow to import

    names = [METRICS.check(name) for name in metrics] or list(METRICS)
    if (out / "run.json").exists():
        raise BenchError(f"{out} belongs to a `bench run`: choose another folder with --out.")
    sources = [Source(name, Predictions(unzipped(folder))) for name, folder in named_folders(texts).items()]
    if reference is not None:
        manifest, length = reference_manifest(unzipped(reference))
        title = reference.resolve().name.removesuffix(".zip")
    else:
        manifest, length = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",)), FRAMES
        title = dataset_title(dataset, data_root)
    score(
        sources,
        manifest,
        out,
        resolution=resolution,
        metrics=names,
        frames=frames,
        count=count,
        allow_partial=allow_partial,
        dataset=title,
        workers=workers,
        offline=offline,
        length=length,
    )
    return report(out, ci)
