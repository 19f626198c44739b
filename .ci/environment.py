"""Create `.venv` with the packages that the project needs, installed once for all clones that need the same ones.

Dependencies are in `~/.cache/timelapse-bench/environment-<hash>` (`XDG_CACHE_HOME` replaces `~/.cache` if it is set).
The hash covers what determines them: the Python, the requirements in `pyproject.toml`, and `constraints.txt`.

A clone's own `.venv` is a virtual environment that also uses these packages. It contains the clone's own packages and
those that its user installs. Clones therefore do not affect each other, and a second one is ready in seconds.

Only this command, under a lock, and the type checker write to the shared folder. The type checker validates its cache
by file content. After installing a new set of dependencies, the command removes sets that no `.venv` uses any more.

Usage: `python .ci/environment.py EXTRAS`, in the root of a clone; EXTRAS: comma-separated names of `pyproject.toml`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Version of the layout of a set of dependencies; increase it when the layout changes.
LAYOUT = 1
#: Name of the type checker's cache in either environment; most of it is about packages.
CHECKED = "mypy-cache"
#: Name of a file in a clone's site-packages that makes Python search the shared packages after the clone's own.
LINK = "shared_dependencies.pth"


def store() -> Path:
    """The folder of all sets of dependencies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timelapse-bench"


def key(root: Path) -> str:
    """A hash of everything that determines which packages are installed, except the choice of extras."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    decides = [
        LAYOUT,
        sys.version,
        sysconfig.get_platform(),
        sys.base_prefix,
        pyproject["build-system"]["requires"],
        project["dependencies"],
        project["optional-dependencies"],
        (root / "constraints.txt").read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def requirements(root: Path, extras: list[str]) -> list[str]:
    """Requirements for pip: those of the build, of the project and of its extras."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    wanted = [*pyproject["build-system"]["requires"], *project["dependencies"]]
    return wanted + [line for extra in extras for line in project["optional-dependencies"][extra]]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for an exclusive lock; the operating system releases it if its process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def site_packages(environment: Path) -> Path:
    """The folder of packages in a virtual environment of this Python."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))


def install(root: Path, shared: Path, extras: list[str]) -> None:
    """Install dependencies into the shared environment, unless that has been done."""
    if not (shared / "bin" / "pip").exists():  # the last file that venv creates
        venv.create(shared, with_pip=True, clear=True, symlinks=True)
    done = shared / f"ready-{'-'.join(sorted(extras))}"
    if not done.exists():
        command = [shared / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt"]
        subprocess.run([*command, *requirements(root, extras)], cwd=root, check=True)
        done.touch()


def link(own: Path, shared: Path) -> None:
    """Make the shared packages and all their commands available in the clone's environment."""
    pointer = site_packages(own) / LINK
    if not pointer.exists():  # no environment, one of another Python, or one that contains all packages itself
        if own.is_symlink():
            own.unlink()
        venv.create(own, with_pip=False, clear=True, symlinks=True)
    pointer.write_text(f"import site; site.addsitedir({str(site_packages(shared))!r})\n")
    checked = own / CHECKED
    checked.unlink(missing_ok=True)
    checked.symlink_to(shared / CHECKED)
    (shared / CHECKED).mkdir(exist_ok=True)
    python = os.fsencode(shared / "bin" / "python")
    for script in sorted((shared / "bin").iterdir()):
        if script.name.startswith(("python", "activate", "Activate")):
            continue
        target, content = own / "bin" / script.name, script.read_bytes()
        target.unlink(missing_ok=True)
        if content.startswith(b"#!") and python in content:  # a Python script: this clone's Python runs it
            target.write_bytes(content.replace(python, os.fsencode(own / "bin" / "python")))
            target.chmod(0o755)
        else:
            target.symlink_to(script)


def install_own(root: Path, own: Path) -> None:
    """Install the clone's own packages, so that they are imported from its folder."""
    command = [own / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--editable", "."], cwd=root, check=True)


def register(own: Path, shared: Path) -> None:
    """Record that this `.venv` uses these dependencies."""
    users = shared / "users"
    users.mkdir(exist_ok=True)
    (users / hashlib.sha256(os.fsencode(own)).hexdigest()[:16]).write_text(str(own))


def uses(own: Path, shared: Path) -> bool:
    """Whether a `.venv`, of any Python, exists and uses these packages."""
    return any(f"{shared}{os.sep}" in pointer.read_text() for pointer in own.glob(f"lib/python*/site-packages/{LINK}"))


def remove_unused(kept: Path) -> None:
    """Remove every set of dependencies that no `.venv` uses, except `kept`."""
    for other in store().glob("environment-*"):
        if other != kept and other.is_dir():
            with locked(other.with_suffix(".lock")):
                if not any(uses(Path(user.read_text()), other) for user in (other / "users").glob("*")):
                    shutil.rmtree(other)


def main(extras: list[str]) -> None:
    """Create or complete `.venv` in the working directory."""
    root = Path.cwd()
    own, shared = root / ".venv", store() / f"environment-{key(root)}"
    new = not shared.exists()
    with locked(shared.with_suffix(".lock")):
        shared.mkdir(exist_ok=True)
        install(root, shared, extras)
        link(own, shared)
        register(own, shared)
    install_own(root, own)
    if new:
        remove_unused(shared)


if __name__ == "__main__":
    try:
        main(sys.argv[1].split(","))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd[:4]))} ended with status {error.returncode}; its output is above.")
    except OSError as error:
        sys.exit(f"{error}. Dependencies are kept in {store()}: set XDG_CACHE_HOME to keep them elsewhere.")
