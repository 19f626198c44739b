"""One HTML file that holds a run's table and figures and needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from bench.files import write_text
from bench.report.tables import ARROWS, Table, title

KINDS = {".png": "image/png", ".webp": "image/webp"}


def data_uri(path: Path) -> str:
    """A picture as text that a page can hold."""
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def write_page(out: Path, table: Table, figures: Sequence[tuple[str, Path]], run: Mapping[str, Any]) -> Path:
    """Write `report.html`.

    Args:
        out: run folder.
        table: the scores.
        figures: captions and pictures, in order.
        run: content of `run.json`.

    Returns:
        Path of the page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html.j2").render(
        zip=zip,
        table=table,
        title=title,
        arrows=ARROWS,
        figures=[(caption, data_uri(path)) for caption, path in figures],
        run=run,
    )
    write_text(out / "report.html", page)
    return out / "report.html"
