"""`bench report`: tables, figures and the page of a folder, made again from what is stored in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.config import as_command
from bench.data.clips import Manifest, build_manifest, by_hash, one_per_video
from bench.data.dataset import find_data
from bench.data.predictions import REAL
from bench.errors import BenchError
from bench.files import read_json
from bench.report.curves import clip_metrics, distribution_figure, over_time_figure, pos_figure, training_figure
from bench.report.figures import contact_sheet, frames_figure, parts_videos, run_videos, samples_animation
from bench.report.motion import RULE, motion_figure
from bench.report.page import Content, Picture, write_page
from bench.report.strips import Strips, extreme_shelves, sample_shelves
from bench.report.study import Study, find_study, read_study
from bench.report.tables import Table, make_table, title, write_tables
from bench.scoring.protocol import Protocol
from bench.scoring.tidy import ScoredClips, read_notes, read_scores, read_summary

#: Clips that get a figure of their own frames, and that play on the page.
EXAMPLES = 3
#: The two rows of the paper's Fig. 3.
STAGES = ("mdgan-1", "mdgan-2")
#: The metric that says which clips are best and worst, where it was computed.
EXTREMES_BY = "ssim"
#: Where `bench agree` leaves its table; its figure lies beside it.
AGREEMENT = Path("agreement") / "agree.json"


def stored_table(out: Path, ci: bool = False) -> Table:
    """The table of a folder's stored scores, with intervals if asked for; nothing is written."""
    if not (out / "summary.csv").exists():
        raise BenchError(f"{out} has no scores to report: give a folder that `bench run` or `bench score` has filled.")
    return make_table(read_summary(out), read_protocol(out), *read_notes(out), ci=ci)


def read_protocol(out: Path) -> Protocol:
    """The protocol of a folder's stored scores."""
    return Protocol.load(out / "scores" / "protocol.json")


def report(out: Path, ci: bool = False, study: Path | None = None) -> Table:
    """Write `table.*`, `figures/` and `report.html` from a folder's stored scores and predictions.

    A folder without predictions (a `bench score` of somebody's videos) gets what its scores allow.

    Args:
        out: the folder.
        ci: print intervals in the tables too, and mark rows that do not differ significantly from the best; the page
            always does.
        study: a folder that `bench study export` wrote; OUT/study by default, where there is one.

    Raises:
        BenchError: the folder has no scores; or the study is none, or is of other rows.
    """
    table = stored_table(out, ci)
    scored, protocol = read_scores(out), read_protocol(out)
    found = find_study(out, study)
    people = read_study(found, scored.rows) if found else None  # before anything is written
    write_tables(table, out)
    examples = examples_of(out)
    pictures = write_figures(out, scored, protocol, examples, people)
    if agreement := read_agreement(out):
        pictures["agreement"] = [Picture("Votes that each metric predicts", out / AGREEMENT.with_suffix(".png"))]
    strips, metrics = Strips(out), clip_metrics(scored)
    by = EXTREMES_BY if EXTREMES_BY in metrics else next(iter(metrics), "")
    run = read_json(out / "run.json") if (out / "run.json").exists() else {}
    content = Content(
        table=stored_table(out, ci=True),
        strips=strips,
        samples=sample_shelves(strips, scored.rows, examples),
        extremes=extreme_shelves(strips, scored, by, metrics[by], protocol) if by and examples else (),
        extremes_by=(metrics[by].title or by.upper()) if by else "",
        pictures=pictures,
        study=people,
        agreement=agreement,
        run=run,
        protocol=protocol.to_dict(),
        command=_command(run),
    )
    write_page(out, content)
    return table


def _command(run: Mapping[str, Any]) -> str:
    try:
        return as_command(run["config"]) if run.get("config") else ""
    except BenchError:  # a model or dataset that is not installed here: its results can be shown, its run not made
        return ""


def read_agreement(out: Path) -> dict[str, Any]:
    """The table that `bench agree` left in a folder, as it stands in its JSON; empty where there is none."""
    path = out / AGREEMENT
    if not (path.is_file() and path.with_suffix(".png").is_file()):
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or not {"caption", "heads", "rows", "notes"} <= content.keys():
        raise BenchError(f"{path} is no table of `bench agree` of this version: give that command again.")
    return content


def examples_of(out: Path) -> list[str]:
    """The clips of a run that its figures show; none where it keeps no predictions."""
    if not (out / "predictions" / REAL).is_dir():
        return []
    clips = Manifest.load(out / "clips.jsonl").split("test")
    return example_clips({clip.id: clip.video for clip in clips}, EXAMPLES)


def write_figures(
    out: Path, scored: ScoredClips, protocol: Protocol, examples: Sequence[str] = (), study: Study | None = None
) -> dict[str, list[Picture]]:
    """Write all figures of a folder as PNG and PDF; returns the pictures of the page by its sections."""
    folder = out / "figures"
    pictures: dict[str, list[Picture]] = {}

    def add(section: str, caption: str, name: str, draw: Callable[[Path], None], text: str = "") -> None:
        if path := _both(draw, folder, name):
            pictures.setdefault(section, []).append(Picture(caption, path, text))

    clips = [run_videos(out, scored.rows, id, protocol.resolution) for id in examples]
    if clips:
        samples_animation(clips, folder / "samples.webp")
        for number, clip in enumerate(clips, start=1):
            _both(partial(frames_figure, clip), folder, f"frames_{number}")
        pictures["samples"] = [Picture("Frames of the first clip", folder / "frames_1.png")]
        if all(row in clips[0] for row in STAGES):
            stages = {row: clips[0][row] for row in (REAL, *STAGES)}
            add("samples", "Where the stages move", "motion", partial(motion_figure, stages), RULE)
    add("metrics", "Over frame number", "over_time", partial(over_time_figure, scored), "Means over clips.")
    clipwise = "A dot is a clip; boxes are quartiles and medians."
    add("metrics", "Over clips", "distribution", partial(distribution_figure, scored, protocol), clipwise)
    logs = {log.parent.name: log for log in sorted((out / "checkpoints").glob("*/training.csv"))}
    add("training", "Losses, validation error and speed", "training", partial(training_figure, logs))
    for parts in sorted(path for path in (out / "parts").glob("*") if any(path.glob("*.png"))):
        caption = f"What a video of {title(parts.name)} is made of"
        add("parts", caption, f"parts_{parts.name}", partial(frames_figure, parts_videos(out, parts)))
    text = " ".join(["Bars: exact 95 % intervals. Diamonds: the paper's numbers.", study.warning if study else ""])
    add("study", "What people chose", "pos", partial(pos_figure, study.pos if study else ()), text)
    return pictures


def _both(draw: Callable[[Path], None], folder: Path, name: str) -> Path | None:
    """Draw a figure as PDF and PNG; the PNG's path, or None, and no old figure, where there was nothing to draw."""
    for ending in ("pdf", "png"):
        (folder / f"{name}.{ending}").unlink(missing_ok=True)
    draw(folder / name)
    path = folder / f"{name}.png"
    return path if path.exists() else None


def example_clips(videos: Mapping[str, str], count: int) -> list[str]:
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
