"""`bench score`: third-party videos against a dataset's test split, or against other videos."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench.data.clip_arrays import Statement
from bench.data.clips import FRAMES, Manifest
from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.data.reference_folder import one_video_each, reference_manifest
from bench.engine.processes import Processes, torchrun_processes
from bench.errors import BenchError
from bench.files import read_json, sole_writer, write_json
from bench.metrics.networks.feature_cache import default_device
from bench.pipeline.features import metrics_with, with_sources
from bench.pipeline.keep_clips import keep_clips
from bench.pipeline.score_inputs import (
    check_names,
    named_folders,
    opened,
    opened_rows,
    own_name,
    own_size,
    papers_size,
    readable,
    real_ids,
)
from bench.pipeline.score_unpaired import score_unpaired
from bench.pipeline.shards import Shard, fill, fill_together
from bench.provenance import provenance, with_session
from bench.registry import SYNTHETIC
from bench.report.export_results import DATA_ROOT
from bench.report.tables.score_table import ScoreTable, stored_table
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.row_notes import skipped_note
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan


@dataclass(frozen=True)
class Scoring:
    """A request to `bench score`, checked as far as that is quick.

    Attributes:
        rows: rows to score.
        out: folder for the results.
        plan: how to score, with the settings that follow from the data.
        command: command that requests the same.
        dataset: dataset whose test split is the reference.
        real: videos that replace this test split, if any.
        notes: notes to be read with the numbers.
    """

    rows: Sequence[Row]
    out: Path
    plan: ScoringPlan
    command: str
    dataset: Dataset
    real: Predictions | None
    notes: list[str] = field(default_factory=list)

    def read_clips(self) -> tuple[Manifest, ScoringPlan]:
        """The real clips, and the plan with their length."""
        if self.real is not None:
            manifest, length = reference_manifest(self.real)
        else:
            manifest, length = self.dataset.manifest(self.plan.resolution, ("test",)), self.dataset.frames
        return manifest, replace(self.plan, length=length)


def prepare(
    texts: Sequence[str],
    out: Path,
    plan: ScoringPlan,
    *,
    dataset: Dataset | None = None,
    reference: Path | None = None,
    said: Statement | None = None,
) -> Scoring:
    """Check a scoring request.

    Args:
        texts: `FOLDER`, `NAME=FOLDER` or `NAME@SEED=FOLDER`; each may also be a zip archive or one array of all clips.
        out: folder for the results; not that of a `bench run`.
        plan: how to score. No metrics means the default ones; no resolution (0) means the reference's own size or the
            paper's. Title and length are taken from the data.
        dataset: dataset whose test split is the reference; by default the synthetic dataset.
        reference: a folder of videos that replaces the real clips of a dataset.
        said: what the user states about arrays.

    Raises:
        BenchError: a folder or a file does not fit, or `out` belongs to a run.
    """
    metrics_with(plan, {})  # a misspelt name raises before anything is read
    if RunFolder(out).account.exists():
        raise BenchError(f"{out} belongs to a `bench run`: choose another folder with --out.")
    folders = named_folders(texts)
    said, dataset, real, notes = said or Statement(), dataset or Dataset(), None, list[str]()
    requested = plan
    if reference is not None:
        real, found = opened(reference, said, "reference")
        one_video_each(real)
        notes += [f"Reference: {note}." for note in [*found, *skipped_note(real)]]
    if not plan.resolution:
        width, height = own_size(real) if real else (0, papers_size(dataset))
        if plan.choices.crop == "centre":
            width = height = min(width, height) if real else height
        plan = replace(plan, resolution=height, width=0 if width == height else width)
    title = dataset.title if reference is None else readable(own_name(reference))
    ids = None if plan.choices.unpaired else partial(real_ids, real, dataset, plan)
    rows, found = opened_rows(folders, said, ids)
    plan = with_sources(replace(plan, dataset=title), rows)
    requested = replace(requested, sources=plan.sources)
    command = score_command([one.label for one in folders], requested, None if reference else dataset, said)
    if real is None and not plan.choices.unpaired:
        check_names(rows, dataset, plan)
    return Scoring(rows, out, plan, command, dataset, real, [*notes, *found])


def score_folders(
    texts: Sequence[str],
    out: Path,
    plan: ScoringPlan,
    *,
    dataset: Dataset | None = None,
    reference: Path | None = None,
    ci: bool = False,
    keep: bool = False,
    said: Statement | None = None,
) -> ScoreTable:
    """Score folders and write scores, tables and figures to `out`.

    With `torchrun`, the processes share the work, and the first one writes the results.

    Args:
        texts, out, plan, dataset, reference, said: as for `prepare`.
        ci: print intervals in the tables.
        keep: write the scored frames into `predictions/`, so that the HTML report plays them.

    Raises:
        BenchError: as in `prepare` and in `bench.scoring.score.score`.
    """
    from bench.report.build_report import report  # here because matplotlib is slow to import

    if keep and plan.choices.unpaired:
        raise BenchError("--keep-clips writes pairs of clips, but --unpaired has none. Leave one of them out.")
    scoring = prepare(texts, out, plan, dataset=dataset, reference=reference, said=said)
    with torchrun_processes() as processes:
        first = processes.rank == 0
        with sole_writer(RunFolder(out)) if first else nullcontext():
            if plan.choices.unpaired:
                if first:
                    real = scoring.real.folder if scoring.real else scoring.dataset
                    score_unpaired(scoring.rows, real, out, scoring.plan, scoring.notes)
            else:
                _score_pairs(scoring, processes, keep)
            if first:
                record(RunFolder(out), scoring.command)
                table = report(out, ci)
            processes.wait()
        return table if first else stored_table(out, ci)


def _score_pairs(scoring: Scoring, processes: Processes, keep: bool) -> None:
    """Score predictions of clips: all processes compute, the first one writes."""
    rows, out = scoring.rows, scoring.out
    manifest, plan = scoring.read_clips()
    if processes.count > 1:
        fill_together(rows, manifest, out, plan, **processes.arguments())
    if processes.rank == 0:
        scores = score(rows, manifest, out, plan, scoring.notes)
        if keep:
            keep_clips(rows, manifest, out, scores.protocol)


def fill_shard(
    texts: Sequence[str],
    out: Path,
    plan: ScoringPlan,
    shard: str,
    *,
    dataset: Dataset | None = None,
    reference: Path | None = None,
    said: Statement | None = None,
) -> str:
    """Compute the values of one part of the clips, for a `score_folders` that finishes; returns a status message.

    Only the shard's own journal is written to `out`, and no lock is taken. `shard` has the form "3/16"; the other
    arguments and errors are those of `score_folders`.
    """
    part = Shard.parse(shard)
    if plan.choices.unpaired:
        raise BenchError("--shard divides pairs of clips, but --unpaired has none. Leave one of them out.")
    scoring = prepare(texts, out, plan, dataset=dataset, reference=reference, said=said)
    manifest, plan = scoring.read_clips()
    return f"Shard {shard}: {fill(scoring.rows, manifest, out, plan, part)} clips. To finish, omit --shard."


def score_command(
    names: Sequence[str], plan: ScoringPlan, dataset: Dataset | None, said: Statement | None = None
) -> str:
    """The `bench score` command of a plan, for a shell; FOLDER, REFERENCE and DATA_ROOT are the user's to fill in.

    Args:
        names: names of the methods, with `@SEED` for further training runs.
        plan: plan as requested, without the settings that follow from the data.
        dataset: the dataset, or None if a reference folder replaces it.
        said: what the user states about arrays.

    >>> score_command(["mine"], ScoringPlan(64, ["mse"]), None)
    'bench score mine=FOLDER --reference REFERENCE --resolution 64 --metrics mse'
    """
    words = ["bench", "score", *(f"{name}=FOLDER" for name in names)]
    if dataset is None:
        words += ["--reference", "REFERENCE"]
    else:
        words += ["--dataset", dataset.name]
        words += ["--data-root", DATA_ROOT] if dataset.root != SYNTHETIC else []
        words += ["--clip-frames", str(dataset.frames)] if dataset.frames != FRAMES else []
    flags = {
        "--resolution": plan.resolution or None,
        "--metrics": ",".join(plan.metrics) or None,
        "--primary": plan.primary or None,
        "--frames": plan.frames if plan.frames != "all" else None,
        "--clips": plan.count,
        "--clip-length": plan.clip_length or None,
        "--sampling": plan.sampling if plan.sampling != "first" else None,
        "--samples": plan.samples,
        "--best": plan.best if plan.best > 1 else None,
        "--axes": said.axes or None if said else None,
        "--range": ",".join(f"{value:g}" for value in said.range) if said and said.range else None,
    }
    words += [word for flag, value in flags.items() if value is not None for word in (flag, str(value))]
    words += plan.choices.flags()
    words += ["--horizon", ",".join(map(str, plan.horizon))] if plan.horizon else []
    words += ["--windows", ":".join(map(str, plan.windows))] if plan.windows else []
    words += [word for source in plan.sources.values() for word in ("--features", source.argument)]
    return shlex.join([*words, *(["--allow-partial"] if plan.allow_partial else [])])


def record(folder: RunFolder, command: str) -> None:
    """Record how a folder of scores was made; sessions of the same command accumulate."""
    before = read_json(folder.scored_by) if folder.scored_by.exists() else {}
    now = provenance(default_device().type)
    write_json(folder.scored_by, {"command": command, **with_session(before, now)})
