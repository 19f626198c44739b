"""The one writer of a study's CSV files. No text in them becomes a formula where a spreadsheet opens them."""

from __future__ import annotations

import io
import re
from typing import Any

import pandas as pd

#: What spreadsheets take for a formula, in ASCII and in full width, perhaps after apostrophes that are escaped as well.
FORMULA = re.compile(r"'*[=+\-@\t\n＝＋－＠]")


def csv(table: pd.DataFrame) -> str:
    """A table as the text of a CSV file. A text that could be a formula is prefixed with an apostrophe."""
    texts = {name: column.map(_escaped) for name, column in table.items() if column.dtype.kind not in "biufcmM"}
    out = io.StringIO()
    table.assign(**{str(name): column for name, column in texts.items()}).to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()


def unescaped(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read from such a file, with its texts as they were."""
    texts = {str(name): column.map(_plain) for name, column in table.items() if column.dtype.kind not in "biufcmM"}
    return table.assign(**texts)


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")  # which no reader of CSV takes for the end of a line
    return f"'{value}" if FORMULA.match(value) and not _is_number(value) else value


def _plain(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value[:1] == "'" and FORMULA.match(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
