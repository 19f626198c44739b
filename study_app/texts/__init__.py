"""All words that a rater reads, one file a language; whoever adds a file adds a language."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean

#: Languages by their codes.
LANGUAGES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.json")))
ENGLISH = "en"


@cache
def texts(language: str) -> dict[str, Any]:
    """A language's words by page.

    Raises:
        BenchError: there is no such file.
    """
    if language not in LANGUAGES:
        raise BenchError(f"There are no texts in the language '{language}'.{did_you_mean(language, LANGUAGES)}")
    read: dict[str, Any] = json.loads((Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8"))
    return read
