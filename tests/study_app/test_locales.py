"""What raters read: complete in every language."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bench.errors import BenchError
from study_app.locales import ENGLISH, LANGUAGES, texts


def places(said: Any, path: str = "") -> dict[str, set[str]]:
    """Path → placeholders of the text there."""
    if isinstance(said, str):
        return {path: set(re.findall(r"\{\w+\}", said))}
    parts = said.items() if isinstance(said, dict) else enumerate(said)
    return {key: value for name, part in parts for key, value in places(part, f"{path}/{name}").items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    ours = {path: names for path, names in places(texts(language)).items() if not path.startswith("/said")}
    english = {path: names for path, names in places(texts(ENGLISH)).items() if not path.startswith("/said")}
    assert ours == english
    assert len(ours) > 60


def test_an_unknown_language_is_refused() -> None:
    assert {"en", "de"} <= set(LANGUAGES)
    with pytest.raises(BenchError, match="no texts in the language 'ed'"):
        texts("ed")
