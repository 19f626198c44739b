"""Every command and Python block of the other pages, as a reader would use them, on small data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.pages import PAGES, parse

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
def test_what_a_page_says_works(page: str, reader: Callable[[str], None]) -> None:
    reader(page)


def test_a_wrong_option_would_be_noticed() -> None:
    parse("bench study serve --db study.db --port 8501 &")
    with pytest.raises(Exception, match="batch-sice"):
        parse("bench run --batch-sice 4")
