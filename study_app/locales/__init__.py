"""All words that a rater reads, one file a language; anyone who adds a file adds a language."""

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


def words(language: str, wording: str) -> dict[str, Any]:
    """The same for studies of another kind, where a language has a `wording` for them: it is put over the usual one."""
    words_of = texts(language)
    return _over({page: text for page, text in words_of.items() if page != "kinds"}, words_of["kinds"].get(wording, {}))


def _over(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Texts with others put over them, page by page."""
    both = {key: _over(base[key], value) if isinstance(value, dict) else value for key, value in other.items()}
    return base | both
