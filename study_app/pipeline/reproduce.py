"""`bench reproduce`: the paper's Tables II, III and IV by its own protocols, with every deviation below the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.config import RunConfig
from bench.data.clips import Manifest
from bench.engine.model_factory import departures
from bench.errors import BenchError, did_you_mean
from bench.pipeline.run import run
from bench.registry import MODELS, SYNTHETIC
from bench.report.row_names import names_of
from bench.report.tables.paper_tables import table4
from bench.report.tables.printed_table import Grid, write_grid
from bench.report.tables.score_table import read_protocol
from bench.report.tables.table_notes import caption
from bench.runfolder import RunFolder
from bench.scoring.score_tables import read_notes, read_summary
from study_app.design.settings import CATCH, StudyRequest

STUDY = "study.db"
#: Size at which the paper showed videos of 128×128 pixels.
SHOWN = 64


@dataclass(frozen=True)
class PaperTable:
    """The paper's protocol for a table.

    Attributes:
        models: models in the order of the table's rows; `copy` is always added.
        settings: setting → value for the run.
        clips: number of test clips, or of clips per comparison.
        data: description of the training data.
        folder: prefix of the run folder's default name.
    """

    models: list[str]
    settings: Mapping[str, Any]
    clips: int
    data: str
    folder: str


_SKY = "Sky Scene (997 long training videos, 35,390 clips in total)"
_PREFERENCES = PaperTable(["mdgan", "vgan", "rnngan"], {"dataset": "sky", "clips": 100}, 100, _SKY, "preferences")
PAPER: Mapping[str, PaperTable] = {
    "table2": _PREFERENCES,
    "table3": _PREFERENCES,
    "table4": PaperTable(
        ["vgan", "rnngan", "mdgan"],
        {"dataset": "beach", "clips": 1000, "resolution": 64},
        1000,
        "10 % of the Beach dataset, tested on the rest",
        "table4",
    ),
}


def paper(name: str) -> PaperTable:
    """The paper's protocol of a table; a `BenchError` suggests the nearest name."""
    if name not in PAPER:
        raise BenchError(
            f"There is no table '{name}' to reproduce. Choose from: {', '.join(PAPER)}.{did_you_mean(name, PAPER)}"
        )
    return PAPER[name]


def reproduce(name: str, config: RunConfig, out: Path, *, offline: bool = False) -> Grid:
    """Run missing parts of what the table needs, and write `<name>.csv`, `.json`, `.tex`, `.md`.

    For Tables II and III, a study is created in OUT/study.db, and its votes are tallied if there are any.

    Raises:
        BenchError: the run or the study fails.
    """
    if name != "table4":
        import_module(
            "study_app.pipeline.create"
        )  # fail now, not after hours of training, if a study cannot be created here
    run(config, out, offline=offline)
    if name == "table4":
        protocol = read_protocol(out)
        metrics = [f"{reason}" for reason in read_notes(out)[0] if reason.metric in ("mse", "psnr", "ssim")]
        notes = [*deviations(name, config, out), *metrics, f"Protocol {protocol.id}."]
        grid = table4(read_summary(out), caption(protocol), names_of(out), notes)
    else:
        grid = _preferences(name, config, out)
    write_grid(grid, out, name)
    return grid


def _preferences(name: str, config: RunConfig, out: Path) -> Grid:
    from study_app.analysis import preference_scores
    from study_app.pipeline.create import create
    from study_app.pipeline.export import paper_table
    from study_app.store.store import Store

    database = out / STUDY
    if not database.exists():
        create(database, _study_request(name, config, out))
    study = Store(database).open("preferences")
    votes, settings = study.votes(), study.settings
    pos = preference_scores.pos_table(votes, settings.comparisons)
    notes = deviations(name, config, out)
    if settings.size != SHOWN:
        notes.append(f"Deviation, clips shown: at {settings.size}×{settings.size}; in the paper at {SHOWN}×{SHOWN}.")
    counting = preference_scores.counted(votes)
    if len(counting):
        notes.append(f"Raters: {counting['rater'].nunique()}; the paper does not say how many it had.")
    else:
        notes.append(
            f"Deviation, raters: none yet. Invite people with `bench study serve --db {database}`, then repeat "
            "the command."
        )
    return paper_table(name, pos, notes)


def _study_request(name: str, config: RunConfig, out: Path) -> StudyRequest:
    """Request for a table's study; with too few clips, without catch trials, which the paper does not mention."""
    clips = len(Manifest.load(out / "clips.jsonl").split("test"))
    request = StudyRequest(
        runs=(out,),
        name="preferences",
        clips=PAPER[name].clips,
        size=SHOWN if config.resolution > SHOWN else None,
        accept_first_frames=True,
    )
    return request if clips >= 4 * CATCH else replace(request, catch=0)


def deviations(name: str, config: RunConfig, out: Path) -> list[str]:
    """Deviations of a run from the paper, one sentence each."""
    table = PAPER[name]
    manifest = Manifest.load(RunFolder(out).clips)
    train, test = manifest.split("train"), manifest.split("test")
    data = "the synthetic dataset" if config.data_root == SYNTHETIC else f"{Path(config.data_root).name}"
    videos = len({clip.video for clip in train})
    differences = [f"data: trained on {len(train)} clips of {videos} videos ({data}); the paper on {table.data}"]
    if len(test) != table.clips:
        differences.append(f"clips: {len(test)}; the paper {table.clips:,}")
    size = 64 if name == "table4" else 128
    if config.resolution != size:
        differences.append(f"size: {config.resolution}×{config.resolution}; the paper {size}×{size}")
    if config.frames != "all":
        differences.append("frames: the given first frame is not scored; the paper scores all 32")
    widths = {model: MODELS.load(model).presets["paper"]["width"] for model in table.models}
    narrow = [
        f"{model} {config.options[model]['width']} of {width}"
        for model, width in widths.items()
        if config.options.get(model, {}).get("width", width) != width
    ]
    if narrow:
        differences.append(f"network width: {', '.join(narrow)}")
    others = {model: departures(model, config.options.get(model, {})) for model in table.models}
    for model, own in others.items():
        if changes := ", ".join(f"{key} {text}" for key, text in own.items() if key != "width"):
            differences.append(f"{model}, the paper's in brackets: {changes}")
    seeds = f"{len(config.seeds)} training seed{'s' if len(config.seeds) > 1 else ''}"
    differences.append(
        f"training: {config.steps} steps per stage with {config.batch} clips each, {seeds}; the paper states "
        "neither steps nor batch size"
    )
    differences.append("RNN-GAN: its layer sizes were not published, so we chose them")
    if missing := sorted({"mdgan", "vgan", "rnngan"} - set(config.models)):
        raise BenchError(f"The paper's table also needs the models {', '.join(missing)}. Leave out --set models.")
    return [f"Deviation, {text}." for text in differences]
