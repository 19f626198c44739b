"""Publishable files of a run: the files that `bench push` sends, and what it holds back, with the reason.

Numbers, charts and the protocol are always sent. Files that show frames are sent if they come from the synthetic
dataset. For third-party data, they are sent only if the sender requests it: a licence to train on videos is not a
licence to publish them, and every prediction begins with a real frame. Anything that names a person or a folder is
never sent: votes of raters, the data root.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import escape

from bench.errors import BenchError
from bench.files import plain, write_json, write_text
from bench.pipeline.release import release
from bench.registry import SYNTHETIC
from bench.report.export_results import DATA_ROOT, export, public_account
from bench.report.html.hub_card import card
from bench.report.tables.score_table import read_protocol, stored_table
from bench.runfolder import REAL, RunFolder
from bench.scoring.score_tables import read_account, read_summary
from bench.scoring.set_metrics import REAL_HALVES

#: Figures that show numbers; every other figure shows frames.
CHARTS = ("over_time", "distribution", "best_of", "training", "pos")
#: Files of `scores/` that are sent: the rest is large, or a journal that only an interrupted scoring needs.
SCORES = ("per_clip.csv", "samples.csv", "differences.csv", "protocol.json", "notes.json")
CARD = "README.md"
#: Folder where the hub looks for a model's evaluation results.
HUB_RESULTS = ".eval_results"
_PICTURES = (
    "The report, frames and animations are held back because they show frames of {data}, which belong to others."
)
_NEVER = (
    "Never sent: predictions and real clips as files, checkpoints for resuming training runs, votes of individual "
    "raters, the path of the data."
)


@dataclass(frozen=True)
class PublishOptions:
    """What the sender requests in addition to what is always sent.

    Attributes:
        clips: files that show frames of third-party data.
        checkpoints: checkpoints of the run's training runs, made small (`bench.pipeline.release`).
        by: the sender, as named on the card.
        benchmark: a benchmark dataset of the hub, "owner/name", to whose leaderboards the numbers go; empty for none.
    """

    clips: bool = False
    checkpoints: bool = False
    by: str = ""
    benchmark: str = ""


@dataclass(frozen=True)
class UploadItem:
    """A file to send.

    Attributes:
        name: its path within the upload.
        path: its path on this machine.
    """

    name: str
    path: Path

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Upload:
    """Everything that is sent of a run, and a sentence on each kind of thing that is held back."""

    items: list[UploadItem]
    held_back: list[str]


def pack_up(run: Path, staging: Path, options: PublishOptions) -> Upload:
    """Collect the publishable files of a run.

    Args:
        run: a folder that `bench run` or `bench score` has filled and reported.
        staging: an empty folder for files that are not sent unchanged.
        options: what is requested in addition.

    Raises:
        BenchError: the folder has no scores or no tables, or checkpoints are requested and there are none.
    """
    table, folder = stored_table(run, ci=True), RunFolder(run)
    if not list(run.glob("table*.md")):
        raise BenchError(f"{run} has scores but no tables. Make them with `bench report {run}`.")
    account = read_account(run)
    root = account.get("config", {}).get("data_root", "")
    # A folder of scored videos shows frames only if it keeps them.
    shows_none = not folder.account.exists() and not folder.predictions(REAL).is_dir()
    frames = options.clips or root == SYNTHETIC or shows_none
    export(run, staging / "results.json", options.by)
    if folder.account.exists():
        write_json(staging / "run.json", plain(public_account(account)))
    if frames and folder.page.exists():
        write_text(staging / "report.html", without_root(folder.page.read_text(encoding="utf-8"), root))
    if options.benchmark:
        for name, entries in hub_results(run, options.benchmark).items():
            write_json(staging / HUB_RESULTS / f"{name}.yaml", entries)  # JSON is YAML
    if options.checkpoints:
        release([run], staging / "checkpoints")
    items = [*_as_they_lie(folder, frames), *_staged(staging)]
    held_back = [] if frames else [_PICTURES.format(data=read_protocol(run).dataset)]
    names = sorted(item.name for item in items)
    text = card(table, public_account(account), names, [*held_back, _NEVER], options.by)
    write_text(staging / CARD, text)
    items.append(UploadItem(CARD, staging / CARD))
    return Upload(sorted(items, key=lambda item: item.name), [*held_back, _NEVER])


def hub_results(run: Path, benchmark: str) -> dict[str, list[dict[str, Any]]]:
    """Numbers in the hub's format for evaluation results, by method: one task for each metric.

    The format is https://huggingface.co/docs/hub/eval-results. The notes of an entry name the method and the protocol
    ID, without which the number means nothing.
    """
    table = stored_table(run)
    found: dict[str, list[dict[str, Any]]] = {}
    for line in read_summary(run):
        if line.row != REAL_HALVES and math.isfinite(line.value):
            interval = f", 95 % interval [{line.ci_low:.6g}, {line.ci_high:.6g}]" if math.isfinite(line.ci_low) else ""
            entry = {
                "dataset": {"id": benchmark, "task_id": line.metric},
                "value": line.value,
                "notes": f"{table.names.title(line.row)}, protocol {line.protocol}{interval}",
            }
            found.setdefault(line.row, []).append(entry)
    return found


def _as_they_lie(folder: RunFolder, frames: bool) -> Iterator[UploadItem]:
    """Files of a run folder that are sent unchanged."""
    found = [*folder.path.glob("table*.*"), folder.summary, *(folder.scores / name for name in SCORES)]
    for path in folder.figures.glob("*.*"):
        if path.suffix in (".png", ".pdf", ".webp") and (frames or path.stem in CHARTS):
            found.append(path)
    found += folder.agreement.parent.glob("agree.*")
    for path in sorted(found):
        if path.is_file():
            yield UploadItem(path.relative_to(folder.path).as_posix(), path)


def _staged(staging: Path) -> Iterator[UploadItem]:
    for path in sorted(staging.rglob("*")):
        if path.is_file():
            yield UploadItem(path.relative_to(staging).as_posix(), path)


def without_root(page: str, root: str) -> str:
    """A page without the path of the data folder; its images, which are also text, stay unchanged.

    >>> without_root("<dd>/data/sky</dd><img src='data:image/png;base64,A/data/sky'>", "/data/sky")
    "<dd>DATA_ROOT</dd><img src='data:image/png;base64,A/data/sky'>"
    """
    if root in ("", SYNTHETIC):
        return page
    parts = re.split(r"(data:[\w/+.-]+;base64,[\w/+=]*)", page)
    named = re.compile(rf"(?<![\w/.-]){re.escape(str(escape(root)))}(?![\w.-])")
    return "".join(part if number % 2 else named.sub(DATA_ROOT, part) for number, part in enumerate(parts))
