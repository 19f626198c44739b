"""Signed links, one per participant: as a table, and as a sheet of QR codes to cut out."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pandas as pd

from bench.errors import BenchError
from bench.files import write_text
from study_app.pipeline.csv_files import csv
from study_app.store.participants import KEY, LONGEST_ID, PARAMETERS
from study_app.store.study import OpenStudy

#: Largest number of links per call.
MOST = 10_000
SHEET = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 11pt system-ui, sans-serif; margin: 10mm; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, 58mm); gap: 4mm; }}
figure {{ margin: 0; padding: 3mm; border: 1px dashed #999; break-inside: avoid; text-align: center; }}
figure svg {{ width: 46mm; height: 46mm; }}
figcaption {{ font-weight: 600; }}
figure small {{ display: block; font-size: 6pt; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>Each link is for one person. Anyone who has it can answer in that person's name.</p>
<main>
{cards}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Link:
    """A participant and their signed link, which only the study's key can produce."""

    participant: str
    url: str


def links(study: OpenStudy, participants: list[str], url: str) -> list[Link]:
    """Signed links to a study at `url`; a participant always gets the same link.

    Raises:
        BenchError: an ID or the address is invalid, or the study's key is missing.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.netloc or address.query or address.fragment:
        raise BenchError(f"'{url}' is not the address of a study. Give one like https://study.example.org.")
    if not 1 <= len(participants) <= MOST:
        raise BenchError(f"{len(participants)} links are too few or too many. Give a --count from 1 to {MOST}.")
    wrong = [id for id in participants if not id.strip() or len(id) > LONGEST_ID]
    if wrong:
        raise BenchError(f"'{wrong[0]}' is not a participant's ID: give 1 to {LONGEST_ID} characters.")
    if len({id.strip().casefold() for id in participants}) < len(participants):
        raise BenchError("Two participants have the same ID. Give each participant a different one.")
    parameter, base = PARAMETERS["lab"][0], url.rstrip("/")
    return [Link(id, f"{base}/?{urlencode({parameter: id, KEY: study.link_key(id)})}") for id in participants]


def numbered(count: int, first: int = 1, prefix: str = "P") -> list[str]:
    """IDs like P01 to P12."""
    digits = max(2, len(str(first + count - 1)))
    return [f"{prefix}{number:0{digits}d}" for number in range(first, first + count)]


def write(study: OpenStudy, made: list[Link], out: Path) -> list[Path]:
    """Write `links.csv` and the sheet `links.html` below `out`; returns their paths."""
    try:
        import segno  # noqa: F401 - fail before anything is written
    except ImportError as error:
        raise BenchError(
            "QR codes need the package segno. Install it with: pip install 'timelapse-bench[study]'."
        ) from error
    table = pd.DataFrame([(link.participant, link.url) for link in made], columns=["participant", "link"])
    cards = "\n".join(_card(link) for link in made)
    write_text(out / "links.csv", csv(table))
    write_text(out / "links.html", SHEET.format(title=html.escape(f"Study {study.name}"), cards=cards))
    study.audit("command line", "links made", f"{len(made)}")
    return [out / "links.csv", out / "links.html"]


def _card(link: Link) -> str:
    import segno

    code = segno.make(link.url, error="m").svg_inline(border=2, omitsize=True)
    name, url = html.escape(link.participant), html.escape(link.url)
    return f"<figure>{code}<figcaption>{name}</figcaption><small>{url}</small></figure>"
