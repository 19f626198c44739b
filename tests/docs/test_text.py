"""Every link, path, name and message of the documentation."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES
from tests.small import REPOSITORY
from tests.world import DEMO


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("https://"):
            assert ((REPOSITORY / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_files_and_tests_that_are_named_are_there(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:bench|mdgan|baselines|study_app|tests)/[\w/]+\.py)`", text):
        assert (REPOSITORY / name).exists(), name
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}" in tests, name


def test_messages_that_troubleshooting_quotes_are_ones_the_program_says() -> None:
    source = ""
    for package in ("bench", "mdgan", "baselines", "study_app"):
        source += "".join(path.read_text() for path in (REPOSITORY / package).rglob("*.py"))
    source = re.sub(r'"\n\s*f?"', "", source)  # sentences that are broken over lines
    rows = re.findall(r"^\| (`.*?) \|", (REPOSITORY / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    quoted = [
        part.strip() for row in rows for text in re.findall(r"`(…?[^`]* [^`]*)`", row) for part in text.split("…")
    ]
    assert len([part for part in quoted if part]) >= 6
    for part in quoted:
        assert part in source, part


def test_the_demo_is_what_the_makefile_runs() -> None:
    assert DEMO in (REPOSITORY / "Makefile").read_text()


def test_the_api_is_rendered(tmp_path: Path) -> None:
    pdoc = pytest.importorskip("pdoc", reason="pdoc is not installed: pip install 'timelapse-bench[dev]'")
    pdoc.pdoc("bench.statistics", "mdgan.losses", output_directory=tmp_path)
    import mdgan.losses

    page = (tmp_path / "mdgan/losses.html").read_text()
    assert "gram_matrix" in page
    first = (inspect.getdoc(mdgan.losses.gram_matrix) or "").split(".")[0].split("`")[0]
    assert first
    assert first[:30] in page
