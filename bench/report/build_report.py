"""`bench report`: regenerate a folder's tables, figures and HTML report from its stored data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from bench.data.clips import Manifest, example_clips
from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.data.readers.video import Frames
from bench.errors import BenchError
from bench.files import read_json, sha256
from bench.report.figures.best_of import best_of_figure
from bench.report.figures.curves import (
    Curves,
    all_curves,
    clip_metrics,
    distribution_figure,
    over_time_figure,
    pos_figure,
    training_figure,
)
from bench.report.figures.figure_cache import FigureCache
from bench.report.figures.frames import contact_sheet, frames_figure, parts_videos, run_videos, samples_animation
from bench.report.figures.horizon import horizon_figure
from bench.report.figures.motion import RULE, motion_figure
from bench.report.html.clip_browser import browser_data
from bench.report.html.clip_strips import StripStore, extreme_groups, sample_groups
from bench.report.html.report_page import PageContent, ReportFigure, write_page
from bench.report.row_names import RowNames
from bench.report.tables.printed_table import write_grid
from bench.report.tables.sample_table import STEM, sample_table
from bench.report.tables.score_table import ScoreTable, read_protocol, stored_table, write_tables
from bench.report.tables.study_tables import StudyResults, find_study, read_study
from bench.runfolder import REAL, RunFolder
from bench.scoring.horizon import read_horizon
from bench.scoring.protocol import Protocol
from bench.scoring.sample_lines import read_samples
from bench.scoring.score_tables import ScoredClips, read_account, read_scores

#: Number of example clips: each has a figure of its frames and plays in the HTML report.
EXAMPLES = 3
#: The metric that ranks the best and worst clips, if it was computed.
EXTREMES_BY = "ssim"


def report(out: Path, ci: bool = False, study: Path | None = None, holm: bool = False) -> ScoreTable:
    """Write `table.*`, `figures/` and `report.html` from a folder's stored scores and predictions.

    A folder without predictions (`bench score` on third-party videos) gets only what its scores allow. A figure is
    redrawn only if its content has changed.

    Args:
        out: the folder.
        ci: also print intervals in the tables, and mark methods that are significantly worse than the best; the HTML
            report always does.
        study: a folder written by `bench study export`; defaults to OUT/study if it exists.
        holm: correct the marks for the number of metrics.

    Raises:
        BenchError: the folder has no scores, or the study is invalid or compares rows that the folder lacks.
    """
    folder, table = RunFolder(out), stored_table(out, ci, holm)
    scored, names = read_scores(out), table.names
    found = find_study(folder, study)
    people = read_study(found, scored.rows, names) if found else None  # fail before anything is written
    write_tables(table, out)
    of_samples = sample_table(out)
    if of_samples:
        write_grid(of_samples, out, STEM)
    else:
        for stale in out.glob(f"{STEM}.*"):  # left by an earlier scoring
            stale.unlink()
    shown = ReportInputs(folder, scored, read_protocol(out), names, examples_of(folder, scored), all_curves(scored))
    pictures = write_figures(shown, people)
    if agreement := read_agreement(folder):
        pictures["agreement"] = [ReportFigure("Votes that each metric predicts", folder.agreement.with_suffix(".png"))]
    strips, metrics = StripStore(folder, names), clip_metrics(scored)
    by = EXTREMES_BY if EXTREMES_BY in metrics else next(iter(metrics), "")
    run, curves = read_account(out), {name: shown.curves.get(type(metric), {}) for name, metric in metrics.items()}
    content = PageContent(
        table=stored_table(out, True, holm),
        strips=strips,
        samples=sample_groups(strips, scored.rows, shown.examples),
        extremes=extreme_groups(strips, scored, metrics[by], shown.protocol) if by and shown.examples else (),
        extremes_by=metrics[by].title if by else "",
        pictures=pictures,
        study=people,
        agreement=agreement,
        run=run,
        protocol=shown.protocol.to_dict(),
        command=run.get("command", ""),
        of_samples=of_samples,
        browser=browser_data(scored, metrics, shown.protocol, folder, names, curves),
    )
    write_page(out, content)
    return table


def read_agreement(folder: RunFolder) -> dict[str, Any]:
    """The content of the JSON table that `bench agree` wrote to a folder; empty if there is none."""
    path = folder.agreement
    if not (path.is_file() and path.with_suffix(".png").is_file()):
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or not {"caption", "heads", "rows", "notes"} <= content.keys():
        raise BenchError(f"{path} was not written by `bench agree` of this version. Repeat that command.")
    return content


def examples_of(folder: RunFolder, scored: ScoredClips) -> list[str]:
    """IDs of the clips that a folder's figures show; empty if it keeps no predictions."""
    if not folder.predictions(REAL).is_dir():
        return []
    if not folder.clips.exists():  # scored by `bench score --keep-clips`
        return example_clips(scored.videos, EXAMPLES)
    clips = Manifest.load(folder.clips).split("test")
    return example_clips({clip.id: clip.video for clip in clips}, EXAMPLES)


@dataclass(frozen=True)
class ReportInputs:
    """Inputs of a folder's figures.

    Attributes:
        folder: the run folder.
        scored: per-frame values.
        protocol: protocol of the scores.
        names: display names of the rows.
        examples: IDs of the clips that are shown.
        curves: metrics over the frame number.
    """

    folder: RunFolder
    scored: ScoredClips
    protocol: Protocol
    names: RowNames
    examples: Sequence[str]
    curves: Curves

    def videos(self, id: str) -> dict[str, Frames]:
        """One clip from every row whose predictions are kept, the real one first."""
        return run_videos(self.folder, self.scored.rows, id, self.protocol.resolution)

    def titled(self, videos: Mapping[str, Frames]) -> dict[str, Frames]:
        """Videos keyed by the row's display name."""
        return {self.names.title(row): video for row, video in videos.items()}

    def identity(self, *ids: str) -> list[Any]:
        """Values that determine how clips look, including their bytes and the rows' display names."""
        rows = [row for row in (REAL, *self.scored.rows) if self.folder.predictions(row).is_dir()]
        videos = [(row, self.names.title(row), Predictions(self.folder.predictions(row))) for row in rows]
        return [self.protocol.resolution, [[row, title, [v.sha256(id) for id in ids]] for row, title, v in videos]]

    def scores_identity(self) -> list[Any]:
        """Values that determine how curves look: the per-frame values, and the rows' names and colours."""
        rows, names = self.scored.rows, self.names
        printed = [[row, names.title(row), names.colours_of(rows)[row]] for row in rows]
        return [sha256(self.folder.per_frame), self.protocol.frames, printed]


def write_figures(shown: ReportInputs, study: StudyResults | None = None) -> dict[str, list[ReportFigure]]:
    """Write all figures of a folder as PNG and PDF, and return the HTML report's figures by section."""
    folder, names, figures = shown.folder, shown.names, FigureCache(shown.folder.figures)
    pictures: dict[str, list[ReportFigure]] = {}

    def add(section: str, caption: str, path: Path | None, text: str = "", live: bool = False) -> None:
        if path:
            pictures.setdefault(section, []).append(ReportFigure(caption, path, text, live))

    if shown.examples:
        _draw_examples(shown, figures, add)
    scores = shown.scores_identity()
    over_time = figures.draw("over_time", scores, partial(over_time_figure, shown.curves, shown.scored.rows, names))
    add("metrics", "Over frame number", over_time, "Means over clips, with 95 % bands over source videos.", True)
    spread = figures.draw("distribution", scores, partial(distribution_figure, shown.scored, shown.protocol, names))
    if points := read_horizon(folder.path):
        curves = figures.draw("horizon", [sha256(folder.horizon), scores], partial(horizon_figure, points, names))
        text = "FVD, KVD and FID of parts of the clips, with 95 % bands; grey: real vs. real (split-half)."
        add("metrics", "Whole sets over time", curves, text)
    add("metrics", "Over clips", spread, "Each dot is a clip; boxes show quartiles and medians.")
    if of_samples := read_samples(folder.path):
        best_of = figures.draw("best_of", [scores, sha256(folder.samples)], partial(best_of_figure, of_samples, names))
        add(
            "best_of",
            "Expected best of k samples",
            best_of,
            "Bands: 95 % over source videos. A horizontal line: one video per clip.",
        )
    logs = folder.trainings()
    hashes = {name: sha256(log) for name, log in logs.items()}
    titles = {model: [names.title(row) for row in rows] for model, rows in sorted(names.models.items())}
    training = figures.draw("training", [hashes, titles], partial(training_figure, logs, names))
    add("training", "Losses, validation error and speed", training)
    for parts in sorted(path for path in folder.all_parts.glob("*") if any(path.glob("*.png"))):
        hashes = {file.name: sha256(file) for file in sorted(parts.glob("*.png"))}
        figure = figures.draw(f"parts_{parts.name}", hashes, partial(_draw_parts, folder, parts.name))
        add("parts", f"Parts of a video of {names.title(parts.name)}", figure)
    pos = study.pos if study else ()
    text = " ".join(
        [
            "Bars: 95 % intervals over raters and source videos. Diamonds: the paper's numbers.",
            study.warning if study else "",
        ]
    )
    add("study", "What people chose", figures.draw("pos", repr([*pos]), partial(pos_figure, pos, names)), text)
    figures.close()
    return pictures


def _draw_examples(shown: ReportInputs, figures: FigureCache, add: Callable[..., None]) -> None:
    """Draw the figures of the example clips: an animation of all, the frames of each, and where the stages move."""
    read = lru_cache(shown.videos)

    def samples(path: Path) -> None:
        samples_animation([shown.titled(read(id)) for id in shown.examples], path.with_suffix(".webp"))

    figures.draw("samples", shown.identity(*shown.examples), samples, (".webp",))
    for number, id in enumerate(shown.examples, start=1):
        draw = partial(_draw_frames, shown, read, id)
        path = figures.draw(f"frames_{number}", shown.identity(id), draw)
        if number == 1:
            add("samples", "Frames of the first clip", path)
    first = shown.examples[0]
    for stages in shown.names.stages:
        if not all(shown.folder.predictions(row).is_dir() and row in shown.scored.rows for row in stages):
            continue

        def motion(path: Path, rows: Sequence[str] = stages) -> None:
            motion_figure(shown.titled({row: read(first)[row] for row in (REAL, *rows)}), path)

        add("samples", "Where the stages move", figures.draw("motion", shown.identity(first), motion), RULE)
        break


def _draw_frames(shown: ReportInputs, read: Callable[[str], dict[str, Frames]], id: str, path: Path) -> None:
    frames_figure(shown.titled(read(id)), path)


def _draw_parts(folder: RunFolder, model: str, path: Path) -> None:
    frames_figure(parts_videos(folder, model), path)


def sheet(dataset: Dataset, resolution: int, count: int, path: Path) -> None:
    """`bench data sheet`: draw frames 1, 8, 16, 24, 32 of a few test clips of a dataset."""
    manifest = dataset.manifest(resolution, ("test",))
    clips = {clip.id: clip for clip in manifest.clips}
    chosen = sorted(example_clips({clip.id: clip.video for clip in manifest.clips}, count))
    contact_sheet([clips[id].read(manifest.root, resolution, manifest.frames) for id in chosen], path)
