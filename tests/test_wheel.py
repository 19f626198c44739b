"""What a wheel and a source archive hold, and how little the plain install imports.

`tests/manual/pythons.sh` installs it.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.small import REPOSITORY

#: What `bench score` and `bench report` may not need: it comes with extras.
EXTRAS = (
    "lightning_fabric",
    "tensorboard",
    "skimage",
    "streamlit",
    "sqlalchemy",
    "alembic",
    "starlette",
    "krippendorff",
)
PACKAGES = ("bench", "mdgan", "baselines", "study_app")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and a source archive, made by the backend that pyproject names, of a copy without build outputs."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the wheel: pip install setuptools")
    folder = tmp_path_factory.mktemp("built")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False).stdout
    if not tracked:
        pytest.skip("this is no git clone: which files belong to the project is not known")
    source = folder / "source"
    for name in tracked.decode().split("\0"):
        if name and (REPOSITORY / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
    code = "from setuptools import build_meta as b; b.build_wheel('..'); b.build_sdist('..')"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.process
def test_the_wheel_holds_all_of_the_packages_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = built / "source"
    # Code, and templates, pages, texts, styles and migrations beside it.
    files = {p.relative_to(source).as_posix() for one in PACKAGES for p in (source / one).rglob("*") if p.is_file()}
    assert files <= names
    assert {"bench/report/html/page.html.j2", "bench/report/results.schema.json"} <= files
    assert {name for name in names if ".dist-info/" not in name} == files


@pytest.mark.process
def test_the_source_archive_can_be_built_tested_and_read(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert {
        "Makefile",
        "constraints.txt",
        "CITATION.cff",
        "docs/how-to/get-data.md",
        "docs/pictures/suite.png",
    } <= names
    assert {"tests/conftest.py", ".ci/environment.py", "results/reference/README.md"} <= names


@pytest.mark.process
def test_scoring_and_reporting_need_no_extra(tmp_path: Path) -> None:
    """A process in which no package of an extra can be imported scores, reports, exports and makes a leaderboard."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({EXTRAS!r}))\n"
        "import numpy as np\nfrom pathlib import Path\n"
        "for folder in ('mine', 'real'):\n"
        "    Path(folder).mkdir()\n"
        "    random = np.random.default_rng(len(folder))\n"
        "    np.save(Path(folder, 'a.npy'), random.integers(0, 256, (16, 32, 32, 3), np.uint8))\n"
        "from tests.support.small import blank_figures\n"
        "blank_figures()\n"
        "from bench.cli.main import app, mount_commands\n"
        "mount_commands()\n"
        "for line in ('score mine --reference real --metrics mse,ssim --out out', 'report out', 'list models',\n"
        "             'export out --to r.json', 'leaderboard r.json --out board'):\n"
        "    app(line.split(), standalone_mode=False)\n"
    )
    command = [sys.executable, str(script)]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "BENCH_OFFLINE": "1", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "board" / "index.html").is_file()


def test_no_extra_is_also_a_requirement_of_all() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    plain = {line.split(">")[0].split("[")[0] for line in project["dependencies"]}
    for extra in ("train", "study", "speed", "authors"):
        assert not plain & {line.split(">")[0].split("[")[0] for line in project["optional-dependencies"][extra]}
