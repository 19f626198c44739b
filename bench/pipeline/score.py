"""`bench score`: anybody's folders or arrays of videos against a dataset's test split, or against another folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.config import PRESETS
from bench.data.array_files import NUMPY, TORCH, is_array_file, unpacked
from bench.data.clip_arrays import Statement
from bench.data.clips import FRAMES, listing_of, sample
from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.data.readers.video import frame_size, read_video
from bench.data.reference_folder import one_video_each, reference_manifest, unzipped
from bench.errors import BenchError
from bench.files import read_json, sole_writer, write_json
from bench.metrics.networks.feature_cache import default_device
from bench.pipeline.keep_clips import keep_clips
from bench.pipeline.score_unpaired import score_unpaired
from bench.provenance import provenance, with_session
from bench.registry import METRICS, SYNTHETIC
from bench.report.export_results import DATA_ROOT
from bench.report.tables.score_table import ScoreTable
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row, check_best, pair, samples_of, with_samples
from bench.scoring.row_notes import skipped_note
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan


@dataclass(frozen=True)
class NamedFolder:
    """A folder of predictions: of which method, and of which of its training runs."""

    name: str
    seed: int
    path: Path

    @property
    def label(self) -> str:
        """The name as it is given on a command line."""
        return f"{self.name}@{self.seed}" if self.seed else self.name


def named_folders(texts: Sequence[str]) -> list[NamedFolder]:
    """Read `FOLDER`, `NAME=FOLDER` or `NAME@SEED=FOLDER`, each name and seed once.

    A folder's own name is its last part, without `.zip` or `.npy`; without `@SEED` the seed is 0.

    >>> [(one.name, one.seed) for one in named_folders(["a@0=x", "a@7=y", "b@home=z"])]
    [('a', 0), ('a', 7), ('b@home', 0)]
    """
    folders: list[NamedFolder] = []
    for text in texts:
        name, equals, folder = text.partition("=")
        path = Path(folder) if equals and not Path(text).exists() else Path(text)
        named = path != Path(text)
        name = readable(name if named else own_name(path))
        run = re.fullmatch(r"(.+)@(\d+)", name) if named else None
        one = NamedFolder(run[1], int(run[2]), path) if run else NamedFolder(name, 0, path)
        if any((other.name, other.seed) == (one.name, one.seed) for other in folders):
            what = f"'{one.name}'" if not run else f"'{one.name}' with seed {one.seed}"
            raise BenchError(f"Two prediction folders are called {what}: give one of them another name, NAME=FOLDER.")
        folders.append(one)
    return sorted(folders, key=lambda one: [other.name for other in folders].index(one.name))


def own_name(path: Path) -> str:
    """The name of a folder, an archive or an array, without its ending."""
    name = path.resolve().name
    return name.removesuffix(path.suffix) if path.suffix.lower() in {".zip", *NUMPY, *TORCH} else name


def opened(
    path: Path, said: Statement, what: str = "prediction", known: Callable[[], Sequence[str]] | None = None
) -> tuple[Predictions, list[str]]:
    """The videos of a folder, a zip archive or an array, and what has to be read with their numbers.

    Args:
        path: of the folder or file.
        said: what the user states of arrays.
        what: the videos are, for messages.
        known: gives the IDs of the real clips.
    """
    if not is_array_file(path):
        return Predictions(unzipped(path), what, given=path), []
    folder, notes = unpacked(path, said, known() if known else None)
    return Predictions(folder, what, given=path), notes


def opened_rows(
    folders: Sequence[NamedFolder], said: Statement, known: Callable[[], Sequence[str]] | None
) -> tuple[list[Row], list[str]]:
    """The rows of folders, archives and arrays, and what has to be read with their numbers (`opened`)."""
    rows, notes = [], []
    for one in folders:
        videos, found = opened(one.path, said, known=known)
        rows.append(Row(one.name, videos, one.seed))
        notes += [f"{one.label}: {note}." for note in found]
    return rows, notes


def readable(name: str) -> str:
    """A name as text: what a locale without UTF-8 took apart is put together, bytes that are no UTF-8 are refused."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode()
    except UnicodeDecodeError as error:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise BenchError(f"The name {shown} is not UTF-8: give the row another one, NAME=FOLDER.") from error


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
    """Score folders and leave scores, tables and figures in `out`.

    Args:
        texts: `FOLDER`, `NAME=FOLDER` or `NAME@SEED=FOLDER`; a zip archive, or one array of all clips, is a folder too.
        out: folder for the results; not that of a `bench run`.
        plan: how to score; without metrics all of them, without a resolution (0) at the reference's own size or the
            paper's; title and length are those of the data.
        dataset: whose test split is scored against, by default the synthetic scenes.
        reference: a folder of videos that stands for the real clips, in place of a dataset.
        ci: print intervals in the tables.
        keep: write the scored frames into `predictions/`, so that the HTML report plays them.
        said: what the user states of arrays.

    Raises:
        BenchError: as in `bench.scoring.score.score`; or `out` belongs to a run.
    """
    from bench.report.build_report import report  # here: matplotlib is slow to import

    named = [*(plan.metrics or METRICS.defaults()), *filter(None, [plan.primary])]
    metrics = tuple(dict.fromkeys(METRICS.check(name) for name in named))
    if RunFolder(out).account.exists():
        raise BenchError(f"{out} belongs to a `bench run`: choose another folder with --out.")
    requested = plan
    folders = named_folders(texts)
    said, dataset, real, notes = said or Statement(), dataset or Dataset(), None, list[str]()
    if reference is not None:
        real, found = opened(reference, said, "reference")
        one_video_each(real)
        notes += [f"Reference: {note}." for note in [*found, *skipped_note(real)]]
    if not plan.resolution:
        width, height = own_size(real) if real else (0, papers_size(dataset))
        if plan.choices.crop == "centre":
            width = height = min(width, height) if real else height
        plan = replace(plan, resolution=height, width=0 if width == height else width)
    if keep and plan.choices.unpaired:
        raise BenchError("--keep-clips keeps pairs of clips, and --unpaired has none: leave one of them out.")
    title = dataset.title if reference is None else readable(own_name(reference))
    plan = replace(plan, metrics=metrics, dataset=title)
    ids = None if plan.choices.unpaired else partial(real_ids, real, dataset, plan)
    rows, found = opened_rows(folders, said, ids)
    notes += found
    if real is None and not plan.choices.unpaired:
        check_names(rows, dataset, plan)
    with sole_writer(RunFolder(out)):
        if plan.choices.unpaired:
            score_unpaired(rows, real.folder if real else dataset, out, plan, notes)
        else:
            known = reference_manifest(real) if real else (dataset.manifest(plan.resolution, ("test",)), dataset.frames)
            scores = score(rows, known[0], out, replace(plan, length=known[1]), notes)
            if keep:
                keep_clips(rows, known[0], out, scores.protocol)
        command = score_command([one.label for one in folders], requested, None if reference else dataset, said)
        record(RunFolder(out), command)
        return report(out, ci)


def score_command(
    names: Sequence[str], plan: ScoringPlan, dataset: Dataset | None, said: Statement | None = None
) -> str:
    """The `bench score` that has this plan, for a shell; FOLDER, REFERENCE and DATA_ROOT stand for the user's own.

    Args:
        names: of the methods, with `@SEED` of further training runs.
        plan: as it was asked for, without what follows from the data.
        dataset: None where a reference folder takes its place.
        said: what the user states of arrays.

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
    return shlex.join([*words, *(["--allow-partial"] if plan.allow_partial else [])])


def record(folder: RunFolder, command: str) -> None:
    """Write down how a folder of scores was made; sessions of the same command accumulate."""
    before = read_json(folder.scored_by) if folder.scored_by.exists() else {}
    now = provenance(default_device().type)
    write_json(folder.scored_by, {"command": command, **with_session(before, now)})


def own_size(videos: Predictions) -> tuple[int, int]:
    """Width and height of a reference's frames; videos that differ in size are a `BenchError`."""
    sizes = {frame_size(videos.path(id)) or read_video(videos.path(id), 1).shape[2:0:-1] for id in videos.ids}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise BenchError(
            f"The videos in {videos.shown} differ in size ({listed}): give --resolution, to which all are brought."
        )
    ((width, height),) = sizes
    return width, height


def papers_size(dataset: Dataset) -> int:
    """The size at which the paper scored a dataset."""
    sizes: dict[str, int] = PRESETS["paper"]["resolution"]
    return sizes.get(dataset.name, sizes[""])


def real_ids(real: Predictions | None, dataset: Dataset, plan: ScoringPlan) -> list[str]:
    """IDs of the real clips, before anything is hashed or decoded."""
    if real is not None:
        return real.ids
    listing = listing_of(dataset.name, dataset.folder(plan.resolution), ("test",), dataset.frames)
    return [clip.id for clip in listing.clips]


def check_names(rows: Sequence[Row], dataset: Dataset, plan: ScoringPlan) -> None:
    """Compare the rows' names with those of the test clips, before anything is hashed or decoded."""
    listing = listing_of(dataset.name, dataset.folder(plan.resolution), ("test",), dataset.frames)
    if not listing.errors and listing.clips:  # else the manifest says what is wrong with the data
        known = {clip.id for clip in listing.clips}
        each = with_samples(rows, known, plan.samples)
        check_best(samples_of(each), plan.best)
        pair(each, sample(listing.clips, plan.count), known, plan.allow_partial)
