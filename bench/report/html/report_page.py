"""One self-contained HTML file with a run's tables, clips and figures."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from PIL import Image

from bench.files import write_text
from bench.metrics.base import SetMetric
from bench.provenance import changes
from bench.registry import METRICS
from bench.report.html.clip_browser import as_json
from bench.report.html.clip_strips import ClipGroup, StripStore, data_uri
from bench.report.tables.printed_table import Grid
from bench.report.tables.score_table import ScoreTable
from bench.report.tables.study_tables import StudyResults
from bench.runfolder import RunFolder

#: Figure pixels per page pixel. Figures are sharp on high-resolution screens, and their letters are as large as text.
SCALE = 1.5
#: The parts of the page's script, in the order in which they run.
SCRIPTS = ("page.js", "chart.js", "browse.js", "viewer.js")


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page.

    Attributes:
        caption: what it shows.
        path: path of the PNG.
        text: what readers must know to interpret it.
        live: whether the page draws the same figure with values under the pointer, if scripts are enabled.
    """

    caption: str
    path: Path
    text: str = ""
    live: bool = False

    @property
    def source(self) -> str:
        """The image as a `data:` URI that a page can embed."""
        return data_uri("png", self.path.read_bytes())

    @property
    def width(self) -> int:
        """Width on the page, in page pixels."""
        with Image.open(self.path) as image:
            return round(image.width / SCALE)


@dataclass
class PageContent:
    """Content of a page; empty parts have no section.

    Attributes:
        table: the scores, with intervals.
        strips: the clips that play.
        samples, extremes: those of them that are shown side by side.
        extremes_by: display name of the metric that chose the extremes.
        pictures: figures by section: "samples", "metrics", "study", "agreement", "training", "parts".
        study: what raters chose.
        agreement: agreement of raters with metrics: a table as returned by `bench.report.tables.printed_table.to_json`.
        run: content of `run.json`.
        protocol: protocol of the scores, as plain values.
        command: command that repeats the run; empty if there is no run.
        of_samples: mean, best of k and spread, if a method has several samples per clip.
        browser: data of the clip list (`bench.report.html.clip_browser`).
    """

    table: ScoreTable
    strips: StripStore
    samples: Sequence[ClipGroup] = ()
    extremes: Sequence[ClipGroup] = ()
    extremes_by: str = ""
    pictures: dict[str, list[ReportFigure]] = field(default_factory=dict)
    study: StudyResults | None = None
    agreement: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    of_samples: Grid | None = None
    browser: Mapping[str, Any] = field(default_factory=dict)

    @property
    def remark(self) -> str:
        """A warning to readers that models are untrained; empty for all other runs."""
        config = self.run.get("config", {})
        if config.get("preset") != "smoke":
            return ""
        return (
            f"The preset “smoke” trains for {config['steps']} steps per stage. It shows that everything "
            "works; the models are not trained well enough to compare."
        )

    @property
    def note_groups(self) -> list[tuple[str, list[str]]]:
        """The table's notes by topic, each group with its heading."""
        return group_notes(self.table.notes, self.run.get("departures", []))

    @property
    def grids(self) -> Sequence[Grid]:
        """The study's tables."""
        return self.study.grids if self.study else ()


def group_notes(notes: Sequence[str], departures: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Notes below a table, grouped by topic; the first group is what readers of the table need.

    Args:
        notes: notes of the table.
        departures: those notes that describe how training differs from the papers.
    """
    groups: dict[str, list[str]] = {
        "How to read the numbers": [],
        "Metrics of whole sets of videos": [],
        "What was left out": [],
        "How training differs from the papers": [],
        "Protocol and weights": [],
    }
    reading, whole_sets, left_out, training, protocol = groups.values()
    for note in notes:
        if note in departures:
            training.append(note)
        elif note.startswith("Protocol ") or re.match(r"[\w.]+: (weights|settings) ", note):
            protocol.append(note)
        elif " left out" not in note and _is_of_whole_sets(note.partition(":")[0].partition(",")[0]):
            whole_sets.append(note)
        else:
            (left_out if " left out" in note or ": skipped" in note else reading).append(note)
    return list(groups.items())


def _is_of_whole_sets(metric: str) -> bool:
    """Whether a note's first word names a registered metric of whole sets, such as `fvd`."""
    return metric in METRICS and issubclass(METRICS.load(metric), SetMetric)


def templates() -> jinja2.Environment:
    """The templates of this package's pages, with the filters that they use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.report.html", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"code": code, "unbroken": unbroken}
    return environment


def write_page(out: Path, content: PageContent) -> Path:
    """Write `report.html` to a folder, and return its path.

    The page's content security policy allows its single script by hash. It forbids all other scripts and all
    connections. When a clip is opened, its frames are read from the folder next to the page.
    """
    environment = templates()
    script, digest = script_of(*SCRIPTS)
    page = environment.get_template("page.html.j2").render(
        content=content,
        data=as_json(content.browser) if content.browser else "",
        script=script,
        digest=digest,
        facts=[*flat(content.run.get("provenance", {})), *resumptions(content.run.get("sessions", []))],
        settings=list(flat(content.run.get("config", {}))),
        protocol=list(flat(content.protocol)),
    )
    path = RunFolder(out).page
    write_text(path, page)
    return path


def script_of(*names: str) -> tuple[str, str]:
    """A page's script, assembled from files of this package, and the hash by which the page's policy allows it."""
    script = "\n".join(templates().get_template(name).render() for name in names)
    return script, base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def resumptions(sessions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what changed each time a run was resumed under different conditions."""
    for before, after in pairwise(sessions):
        yield "resumed with", "; ".join(changes(before, after))


def code(text: str) -> Markup:
    """Text with the parts between backticks as code, and the rest escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an unpaired backtick: treat all of them as literal
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


def unbroken(head: str) -> str:
    """A column head whose arrow stays on the same line as the word before it."""
    return re.sub(r" (?=[↓↑→])", "\N{NO-BREAK SPACE}", head)


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as lines: names joined by dots, list values by commas."""
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(map(str, value))
        else:
            yield name, "–" if value is None else str(value)
