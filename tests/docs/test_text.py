"""Every link, path, name and message of the documentation."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import mdgan.losses
from tests.docs.pages import PAGES
from tests.support.small import REPOSITORY
from tests.support.world import DEMO


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
    rows = re.findall(r"^\| (`.*?) \|", (REPOSITORY / "docs/how-to/troubleshoot.md").read_text(), re.MULTILINE)
    quoted = [
        part.strip() for row in rows for text in re.findall(r"`(…?[^`]* [^`]*)`", row) for part in text.split("…")
    ]
    assert len([part for part in quoted if part]) >= 6
    for part in quoted:
        assert part in source, part


def test_the_demo_is_what_the_makefile_runs() -> None:
    assert DEMO in (REPOSITORY / "Makefile").read_text()


def html_of(page: str) -> str:
    """The file of the site that has a page."""
    return page.removesuffix("README.md") + "index.html" if page.endswith("README.md") else f"{page[:-3]}.html"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of all pages, with the API of one package."""
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'timelapse-bench[dev]'")
    spec = importlib.util.spec_from_file_location("docs_site", REPOSITORY / ".ci" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    site = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(site)
    out = tmp_path_factory.mktemp("docs") / "site"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(site, "PACKAGES", ("mdgan",))  # all of them take a minute
        patched.chdir(REPOSITORY)
        assert site.main(REPOSITORY, out) == 0
    return out


@pytest.mark.docs
def test_the_site_is_built_of_all_pages_and_every_link_in_it_leads_somewhere(built: Path) -> None:
    for page in PAGES:
        name = html_of(page)
        text = (built / name).read_text()
        assert "Edit this page" not in text
        assert not re.search(r'<(script|link)[^>]+(src|href)="https?:', text.replace('rel="canonical"', "")), name
    api = (built / "api" / "mdgan.losses.html").read_text()
    first = (inspect.getdoc(mdgan.losses.gram_matrix) or "").split(".")[0].split("`")[0]
    assert first
    assert first[:30] in api
    assert "gram_matrix" in (built / "search" / "search_index.js").read_text()


@pytest.mark.docs
@pytest.mark.browser
def test_the_site_is_searched_from_the_disk_and_fits_a_phone(chromium: Any, built: Path) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto((built / html_of(name)).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    page.locator(".md-header__button[for=__search]").click()
    page.locator("input.md-search__input").press_sequentially("jackknife")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url("**?h=jackknife*")
    assert all(url.startswith("file:") for url in asked)
    page.close()
