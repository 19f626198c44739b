"""Pages that follow from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from bench.cli.main import mount_commands
from tests.docs.pages import PAGES
from tests.support.small import REPOSITORY

FOLDER = REPOSITORY / "docs" / "reference"


def load(name: str) -> ModuleType:
    """A module of `.ci/`."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", REPOSITORY / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", load("reference").PAGES)
def test_a_generated_page_is_what_the_code_gives(page: str, tmp_path: Path) -> None:
    reference = load("reference")
    mount_commands()
    reference.main(tmp_path)
    assert (tmp_path / page).read_text() == (FOLDER / page).read_text(), "run `make reference`"


def test_every_environment_variable_of_the_code_is_listed() -> None:
    reference = load("reference")
    found: set[str] = set()
    for package in ("bench", "mdgan", "baselines", "study_app"):
        for path in (REPOSITORY / package).rglob("*.py"):
            text = path.read_text()
            found |= set(re.findall(r"environ(?:\.get)?[\[(]\s*\"([A-Z_]+)\"", text))
            found |= set(re.findall(r"\"(BENCH_[A-Z_]+)\"", text))
    known = set(reference.ENVIRONMENT) | reference.NOT_FOR_USERS
    assert found - known == set()
    assert {name for name in reference.ENVIRONMENT if name.startswith("BENCH_")} <= found


def test_the_words_of_the_documentation_are_checked(tmp_path: Path) -> None:
    prose = load("prose")
    (tmp_path / "study_app" / "locales").mkdir(parents=True)
    (tmp_path / "study_app" / "locales" / "en.json").write_text('{"page": {"title": "Welcome"}}')
    page = tmp_path / "page.md"
    page.write_text(
        "# A head\n\nThree trainings go on beside each other. " + "word " * 31 + "end.\n\n```sh\nbench run\n```\n"
    )
    wrong = prose.check(tmp_path, [page])
    assert [text.split("“")[1].split("”")[0] for text in wrong[:3]] == ["trainings", "beside each other", "go on"]
    assert wrong[-1].endswith("of sentences have more than 30 words")
    page.write_text("The run resumes. It writes one file.\n")
    assert prose.check(tmp_path, [page]) == []
    (tmp_path / "bench").mkdir()
    code = tmp_path / "bench" / "files.py"
    code.write_text('"""What lies in a folder."""\nraise ValueError(f"{path} is no file: 3 are due.")\n')
    assert [text.partition(": ")[0] for text in prose.check(tmp_path, [page])] == ["bench/files.py:2"] * 2
    code.write_text('raise ValueError("There is no file a.")\n')
    assert prose.check(tmp_path, [page]) == []


def test_defaults_that_pages_state_are_those_of_the_command_line() -> None:
    rows = re.findall(
        r"^\| (`--[^|]+) \| .* \| (.*) \|$", (REPOSITORY / "docs/reference/command-line.md").read_text(), re.MULTILINE
    )
    defaults: dict[str, set[str]] = {}
    for flags, value in rows:
        for flag in re.findall(r"--[a-z-]+", flags):
            defaults.setdefault(flag, set()).add(value.strip("` ").removesuffix(".0"))
    stated = []
    for page in PAGES:
        text = " ".join((REPOSITORY / page).read_text(encoding="utf-8").split())
        stated += re.findall(r"`(--[a-z-]+) ([\w.]+)` \(the default\)", text)
        stated += re.findall(r"`(--[a-z-]+)`(?:, default| minutes \(| \() ?(\d[\d.]*)[;)]", text)
    assert len(stated) >= 4
    for flag, value in stated:
        assert value in defaults[flag], flag
