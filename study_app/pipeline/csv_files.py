"""The only writer of a study's CSV files, which prevents spreadsheet formula injection."""

from __future__ import annotations

import io
import re
from typing import Any

import pandas as pd

#: Text that spreadsheets interpret as a formula (ASCII or full width), also after apostrophes: escaping is reversible.
FORMULA = re.compile(r"'*[=+\-@\t\n＝＋－＠]")


def csv(table: pd.DataFrame) -> str:
    """A table as the text of a CSV file; text that could be a formula is prefixed with an apostrophe."""
    texts = {name: column.map(_escaped) for name, column in table.items() if column.dtype.kind not in "biufcmM"}
    out = io.StringIO()
    table.assign(**{str(name): column for name, column in texts.items()}).to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()


def unescaped(table: pd.DataFrame) -> pd.DataFrame:
    """A table read from such a file, with its original texts."""
    texts = {str(name): column.map(_plain) for name, column in table.items() if column.dtype.kind not in "biufcmM"}
    return table.assign(**texts)


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")  # so that no CSV reader splits the row there
    return f"'{value}" if FORMULA.match(value) and not _is_number(value) else value


def _plain(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value[:1] == "'" and FORMULA.match(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
