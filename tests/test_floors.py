"""The plan of the house: which room may import which, and what may not be imported at module level.

A room is a file at the top of `bench`, or a folder of it, or one of the other packages. Every import counts, also one
within a function or for the type checker. `docs/design.md` draws the same floors.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.small import REPOSITORY

PACKAGES = ("bench", "mdgan", "baselines", "study_app")
#: From the ground up: a room imports only what lies on floors below its own.
FLOORS = (
    ("bench.errors", "bench.progress", "bench.provenance", "bench.runfolder"),
    ("bench.files", "bench.statistics", "bench.registry", "bench.interface"),
    ("bench.config", "bench.adversarial", "bench.data", "bench.metrics"),
    ("bench.engine", "bench.scoring", "mdgan", "baselines"),
    ("bench.report", "bench.speed"),
    ("bench.options", "bench.pipeline"),
    ("bench", "bench.__main__", "bench.cli", "study_app"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS, start=1) for room in rooms}
#: Siblings of `bench`: it names them as text (`bench.registry`) and never imports them.
SIBLINGS = set(PACKAGES) - {"bench"}
#: What `bench` may have at its top, and how long a file and a function may be.
FILES_AT_THE_TOP, LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 12, 350, 50
#: How many parameters a function may take, and how many things without names it may return.
PARAMETERS, UNNAMED = 8, 3
#: Training machines do not have these; whoever needs them imports them inside a function.
LATE = {"lpips", "pytorch_fid", "streamlit", "sqlalchemy", "av"}
FILES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything that is imported, as far as they can be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def modules_imported(tree: ast.AST) -> set[str]:
    """Our modules among them; `from bench.data.clips import Clip` is the module and not the name in it."""
    found = set()
    for name in imported(tree):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] != "bench" else ".".join(parts[:2])


def at_module_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If):
            yield from (name.partition(".")[0] for name in imported(node))


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [error.args[1]]
    return []


@cache
def trees() -> dict[str, ast.Module]:
    return {module: ast.parse(path.read_text()) for module, path in MODULES.items()}


@cache
def imports() -> dict[str, set[str]]:
    return {module: modules_imported(tree) for module, tree in trees().items()}


def test_the_house_keeps_its_floors(capsys: pytest.CaptureFixture[str]) -> None:
    rooms: dict[str, set[str]] = {}
    for module, found in imports().items():
        rooms.setdefault(room_of(module), set()).update(map(room_of, found))
    for room, found in rooms.items():
        found.discard(room)
    # A folder's own first file imports what lies in it: a circle of names only.
    modules = {module: {name for name in found if name != module} for module, found in imports().items()}
    unknown = rooms.keys() - FLOOR.keys()
    up = [f"{room} → {name}" for room, found in rooms.items() for name in found if FLOOR[name] >= FLOOR[room]]
    round_about = circles(rooms) + circles(modules)
    top = sorted(path.name for path in (REPOSITORY / "bench").glob("*.py"))
    with capsys.disabled():
        print(
            f"\n{len(rooms)} rooms, {len(FLOORS)} floors, {len(round_about)} circles, {len(up)} up, "
            f"{len(top)} files at the top of bench"
        )
    assert not unknown
    assert not round_about
    assert not up
    assert len(top) <= FILES_AT_THE_TOP


def test_bench_knows_no_row_of_a_sibling() -> None:
    for module, tree in trees().items():
        if module.startswith("bench"):
            words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            assert not {"mdgan-1", "mdgan-2", "mdgan-published-1"} & words, module


def test_bench_imports_no_sibling_and_models_not_each_other() -> None:
    for module, found in imports().items():
        package = module.partition(".")[0]
        forbidden = SIBLINGS if package == "bench" else {"mdgan", "baselines", "study_app"} - {package}
        assert not {name.partition(".")[0] for name in found} & forbidden, module


@pytest.mark.parametrize("module", [module for module in MODULES if ".migrations.versions." not in module])
def test_a_file_can_be_read_at_a_sitting(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) < LINES_OF_A_FILE
    for node in functions(module):
        # A docstring is for the reader of a call; what has to be held in mind is the rest.
        docstring = node.body[0] if ast.get_docstring(node) is not None else None
        lines = length(node) - (length(docstring) if docstring else 0)
        assert lines < LINES_OF_A_FUNCTION, f"{module}.{node.name} has {lines} lines"


def length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", MODULES)
def test_a_call_can_be_read(module: str) -> None:
    """No function outside of the command line takes many parameters, none returns many things without names."""
    for node in functions(module):
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        given = [name for name in given if name not in ("self", "cls")]
        if not module.startswith(("bench.cli", "study_app.cli.")):
            assert len(given) <= PARAMETERS, f"{module}.{node.name} takes {len(given)}"
        # One of a stream of rows, and the shape of an array, are named by what they are rows and shape of.
        if (
            isinstance(node.returns, ast.Subscript)
            and ast.unparse(node.returns.value) == "tuple"
            and node.name != "shape"
        ):
            parts = node.returns.slice.elts if isinstance(node.returns.slice, ast.Tuple) else [node.returns.slice]
            assert len(parts) <= UNNAMED, f"{module}.{node.name} returns {len(parts)}"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("study_app")])
def test_heavy_packages_are_imported_late(module: str) -> None:
    assert not set(at_module_level(trees()[module])) & LATE


def test_the_rules_are_checked_on_something() -> None:
    assert len(FILES) > 30
    assert modules_imported(ast.parse("def f():\n    from bench.data.clips import Clip")) == {"bench.data.clips"}
    assert not set(at_module_level(ast.parse("def f():\n    import av")))
    assert circles({"a": {"b"}, "b": {"a"}})
