"""`bench report`: tables, figures and the page of a run folder, made again from what is stored in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data.clips import Manifest, build_manifest, by_hash, one_per_video
from bench.data.embedded import find_data
from bench.errors import BenchError
from bench.files import read_json
from bench.predictions import REAL
from bench.protocol import Protocol
from bench.report.figures import (
    contact_sheet,
    frames_figure,
    over_time_figure,
    parts_videos,
    run_videos,
    samples_animation,
    training_figure,
)
from bench.report.page import write_page
from bench.report.tables import Table, make_table, title, write_tables
from bench.scores import ScoredClips, read_notes, read_scores, read_summary

#: Clips that get a figure of their own frames, and that play in the animated samples.
EXAMPLES = 3


def stored_table(out: Path, ci: bool = False) -> Table:
    """The table of a folder's stored scores, with intervals if asked for; nothing is written."""
    if not (out / "summary.csv").exists():
        raise BenchError(f"{out} has no scores to report: give a folder that `bench run` or `bench score` has filled.")
    return make_table(read_summary(out), read_protocol(out), *read_notes(out), ci=ci)


def read_protocol(out: Path) -> Protocol:
    """The protocol of a folder's stored scores."""
    return Protocol.load(out / "scores" / "protocol.json")


def report(out: Path, ci: bool = False) -> Table:
    """Write `table.*`, `figures/` and `report.html` from a folder's stored scores and predictions.

    With `ci`, tables print intervals and mark rows that do not differ significantly from the best. A folder
    without predictions (a `bench score` of somebody's videos) gets what its scores allow.

    Raises:
        BenchError: the folder has no scores.
    """
    table = stored_table(out, ci)
    write_tables(table, out)
    figures = write_figures(out, read_scores(out), read_protocol(out))
    run = read_json(out / "run.json") if (out / "run.json").exists() else {}
    write_page(out, table, figures, run)
    return table


def write_figures(out: Path, scored: ScoredClips, protocol: Protocol) -> list[tuple[str, Path]]:
    """Write all figures of a folder; returns captions and paths of the pictures that a page shows."""
    folder = out / "figures"
    pictures: list[tuple[str, Path]] = []
    if (out / "predictions" / REAL).is_dir():
        examples = example_clips({clip.id: clip.video for clip in Manifest.load(out / "clips.jsonl").split("test")})
        videos = [run_videos(out, scored.rows, id, protocol.resolution) for id in examples]
        samples_animation(videos, folder / "samples.webp")
        pictures.append(("Samples under the same first frames", folder / "samples.webp"))
        for number, (id, clip) in enumerate(zip(examples, videos, strict=True), start=1):
            for ending in ("png", "pdf"):
                frames_figure(clip, folder / f"frames_{number}.{ending}")
            pictures.append((f"Frames of clip {id}", folder / f"frames_{number}.png"))
    for parts in sorted(path for path in (out / "parts").glob("*") if any(path.glob("*.png"))):
        for ending in ("png", "pdf"):
            frames_figure(parts_videos(out, parts), folder / f"parts_{parts.name}.{ending}")
        pictures.append((f"What a video of {title(parts.name)} is made of", folder / f"parts_{parts.name}.png"))
    for ending in ("png", "pdf"):
        over_time_figure(scored, folder / f"over_time.{ending}")
        training_figure(_logs(out), folder / f"training.{ending}")
    for caption, name in (("Metrics over frame number", "over_time"), ("Training", "training")):
        if (folder / f"{name}.png").exists():
            pictures.append((caption, folder / f"{name}.png"))
    return pictures


def example_clips(videos: Mapping[str, str], count: int = EXAMPLES) -> list[str]:
    """A few clips that nobody picked: smallest hashes of their ids, each of another video while there are any.

    Args:
        videos: source video of each clip id.
        count: how many.
    """
    first = one_per_video(videos)
    return [*first, *(id for id in by_hash(videos) if id not in first)][:count]


def sheet(dataset: str, data_root: str, resolution: int, count: int, path: Path) -> None:
    """`bench data sheet`: frames 1, 8, 16, 24, 32 of a few test clips of a dataset."""
    manifest = build_manifest(dataset, find_data(dataset, data_root, resolution), ("test",))
    clips = {clip.id: clip for clip in manifest.clips}
    chosen = sorted(example_clips({clip.id: clip.video for clip in manifest.clips}, count))
    contact_sheet([clips[id].read(manifest.root, resolution) for id in chosen], path)


def _logs(out: Path) -> dict[str, Path]:
    logs: Sequence[Path] = sorted((out / "checkpoints").glob("*/training.csv"))
    return {log.parent.name: log for log in logs}
