"""Every command and Python block of the README, as a reader would use them, on small data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.docs


def test_what_the_readme_says_works(reader: Callable[[str], None]) -> None:
    reader("README.md")
