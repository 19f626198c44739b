"""The architecture: which package may import which, and what may not be imported at module level.

A part is a file or a folder directly inside a package. Every import counts, also one within a function or for the type
checker. `docs/explanation/architecture.md` draws the same layers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.small import REPOSITORY

PACKAGES = ("bench", "mdgan", "baselines", "study_app")
#: The whole, from the bottom up: a part imports only what lies on layers below its own.
WHOLE = (
    ("bench.errors", "bench.progress", "bench.provenance", "bench.runfolder"),
    ("bench.files", "bench.download", "bench.statistics", "bench.registry", "bench.interface"),
    ("bench.config", "bench.adversarial", "bench.data", "bench.metrics"),
    ("bench.engine", "bench.scoring", "mdgan", "baselines"),
    ("bench.report", "bench.speed"),
    ("bench.cli_options", "bench.pipeline"),
    ("bench", "bench.__main__", "bench.cli", "study_app"),
)
#: The same for the study.
STUDY = (
    ("study_app.locales",),
    ("study_app.design",),
    ("study_app.store", "study_app.analysis"),
    ("study_app.pipeline",),
    ("study_app.web",),
    ("study_app.cli",),
)


@dataclass(frozen=True)
class Limit:
    """How many layers a package may have; how many parts, and its layers by name, where these are laid down."""

    layers: int
    parts: int | None = None
    order: tuple[tuple[str, ...], ...] = ()


#: Package → its limit; "" is the whole. A new metric, layout or figure is a new file, so most have no limit of parts.
#: A part of a package without an order lies one layer above all that it imports.
LIMITS = {
    "": Limit(7, 25, WHOLE),
    "bench.cli": Limit(3),
    "bench.data": Limit(4),
    "bench.data.layouts": Limit(1),
    "bench.data.readers": Limit(5),
    "bench.data.synthetic": Limit(4),
    "bench.download": Limit(2),
    "bench.engine": Limit(5),
    "bench.metrics": Limit(5),
    "bench.metrics.networks": Limit(3),
    "bench.pipeline": Limit(3),
    "bench.report": Limit(4),
    "bench.report.figures": Limit(3),
    "bench.report.html": Limit(3),
    "bench.report.tables": Limit(3),
    "bench.scoring": Limit(5),
    "bench.speed": Limit(3),
    "bench.statistics": Limit(3),
    "mdgan": Limit(4),
    "baselines": Limit(1),
    "study_app": Limit(6, 7, STUDY),
    "study_app.analysis": Limit(4),
    "study_app.cli": Limit(3),
    "study_app.design": Limit(5),
    "study_app.pipeline": Limit(4),
    "study_app.store": Limit(6),
    "study_app.store.connection": Limit(2),
    "study_app.store.schema": Limit(2),
    "study_app.web": Limit(4),
    "study_app.web.admin": Limit(4),
}
#: Alembic runs these; nobody imports them.
NOT_IMPORTED = ".migrations"
#: Siblings of `bench`: it names them as text (`bench.registry`) and never imports them.
SIBLINGS = set(PACKAGES) - {"bench"}
#: Files at the top of `bench`, entries at the top of `study_app`, lines of a file and of a function, at most.
FILES_AT_THE_TOP, STUDY_AT_THE_TOP, LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 12, 8, 350, 50
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


def part_of(module: str, package: str) -> str | None:
    """The part of a package that a module belongs to, by its dotted name; None for a module of another package."""
    parts = module.split(".")
    if not package:
        return parts[0] if parts[0] != "bench" else ".".join(parts[:2])
    depth = package.count(".") + 1
    return ".".join(parts[: depth + 1]) if module.startswith(f"{package}.") else None


def at_module_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If):
            yield from (name.partition(".")[0] for name in imported(node))


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
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


def parts_of(package: str) -> dict[str, set[str]]:
    """The parts of a package and which others of them each one imports."""
    graph: dict[str, set[str]] = {}
    for module, found in imports().items():
        part = part_of(module, package)
        if part and NOT_IMPORTED not in module:
            others = {part_of(name, package) for name in found} - {None, part}
            graph.setdefault(part, set()).update(name for name in others if name)
    return graph


def layers(graph: dict[str, set[str]]) -> dict[str, int]:
    """The layer of each part: one above all that it imports. The graph has no cycle."""
    found: dict[str, int] = {}
    for part in TopologicalSorter(graph).static_order():
        found[part] = 1 + max((found[other] for other in graph[part]), default=0)
    return found


@pytest.mark.parametrize("package", LIMITS)
def test_imports_point_downwards(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    graph, limit = parts_of(package), LIMITS[package]
    round_about = cycles(graph)
    layer = {part: number for number, parts in enumerate(limit.order, start=1) for part in parts}
    if not round_about and not limit.order:
        layer = layers(graph)
    up = [f"{part} → {name}" for part, found in graph.items() for name in found if layer[name] >= layer[part]]
    number = max(layer.values())
    with capsys.disabled():
        print(
            f"\n{package or 'whole'}: {len(graph)} parts, {number} layers, {len(up)} upward, {len(round_about)} cycles"
        )
    assert graph.keys() <= layer.keys()
    assert not round_about
    assert not up
    assert limit.parts is None or len(graph) <= limit.parts
    assert number <= limit.layers


def test_every_package_has_a_limit() -> None:
    packages = {module_of(path) for path in FILES if path.name == "__init__.py"}
    assert {package for package in packages - {"bench"} if parts_of(package)} == LIMITS.keys() - {""}


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's own __init__ may import what lies in it.
    assert not cycles({module: found - {module} for module, found in imports().items()})


def test_the_top_stays_small() -> None:
    assert len(list((REPOSITORY / "bench").glob("*.py"))) <= FILES_AT_THE_TOP
    entries = {path.relative_to(REPOSITORY / "study_app").parts[0] for path in FILES if "study_app" in path.parts}
    assert len(entries) <= STUDY_AT_THE_TOP, entries


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
        if is_command_line(module):  # a command's parameters are its options, one a line
            lines -= node.body[0].lineno - node.lineno
        assert lines < LINES_OF_A_FUNCTION, f"{module}.{node.name} has {lines} lines"


#: What `bench score` is from Python: its keywords are options.
PYTHON_COMMAND = "bench.pipeline.evaluate.evaluate"


def is_command_line(module: str) -> bool:
    return module.startswith(("bench.cli", "study_app.cli."))


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
        parameters = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        parameters = [name for name in parameters if name not in ("self", "cls")]
        if not is_command_line(module) and f"{module}.{node.name}" != PYTHON_COMMAND:
            assert len(parameters) <= PARAMETERS, f"{module}.{node.name} takes {len(parameters)}"
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
    assert cycles({"a": {"b"}, "b": {"a"}})
