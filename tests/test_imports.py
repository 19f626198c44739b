"""The rule of the house: which package may import which, and what may not be imported at module level."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small import REPOSITORY

PACKAGES = ("bench", "mdgan", "baselines", "study_app")
FORBIDDEN = {
    "bench": {"mdgan", "baselines", "study_app"},
    "mdgan": {"baselines", "study_app"},
    "baselines": {"mdgan", "study_app"},
    "study_app": {"mdgan", "baselines"},
}
#: Training machines do not have these; whoever needs them imports them inside a function.
LATE = {"lpips", "pytorch_fid", "streamlit", "sqlalchemy", "av"}
FILES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def at_module_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If):
            yield from imported(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_keep_the_rule(path: Path) -> None:
    package = path.relative_to(REPOSITORY).parts[0]
    tree = ast.parse(path.read_text())
    # The command line mounts the study's verbs, lazily: the one place that may.
    allowed = {"study_app"} if path == REPOSITORY / "bench" / "cli.py" else set()
    assert not (set(imported(tree)) & FORBIDDEN[package]) - allowed
    if package != "study_app":
        assert not set(at_module_level(tree)) & LATE


def test_the_rule_is_checked_on_something() -> None:
    assert len(FILES) > 30
    assert set(imported(ast.parse("def f():\n    import mdgan.model"))) == {"mdgan"}
    assert not set(at_module_level(ast.parse("def f():\n    import av")))
