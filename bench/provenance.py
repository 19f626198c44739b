"""What a result was made with: travels with every run folder."""

from __future__ import annotations

import platform
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

#: What this program is installed as.
DISTRIBUTION = "timelapse-bench"
#: What can be installed beside what scoring needs, and what for.
EXTRAS = {"train": "training and generating", "study": "the study with people", "speed": "bench speed metrics"}
EXTRAS |= {"authors": "fetching checkpoints that authors publish", "hub": "sending a run to Hugging Face"}
#: Packages whose version can move a number.
PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "scipy", "scikit-image", "pillow", "av", "pandas")


def package_version(name: str) -> str | None:
    """Version of an installed package, None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def our_version() -> str | None:
    """This program's version: what its source tree says where it runs from one, which may have been updated since it
    was installed from there; else what is installed."""
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    try:
        told = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        told = {}
    return str(told["version"]) if told.get("name") == DISTRIBUTION else package_version(DISTRIBUTION)


def packages_of(extra: str) -> list[str]:
    """What an extra of ours installs, by the names of its packages; nothing where this program is not installed."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    wanted = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if wanted.search(line)]


def missing_packages(extra: str) -> list[str]:
    """Which of an extra's packages are not installed."""
    return [name for name in packages_of(extra) if package_version(name) is None]


def how_to_install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def extra_of(module: str) -> str | None:
    """The extra that brings a module which could not be imported; None where none of ours does.

    >>> extra_of("nothing_of_ours") is None
    True
    """
    package = module.partition(".")[0].replace("_", "-").lower()
    return next((extra for extra in EXTRAS if package in map(str.lower, packages_of(extra))), None)


def git_commit() -> str | None:
    """Commit of the source tree this code runs from, with `-dirty` where files were changed; None outside of one."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        # Installed into an environment inside somebody's own repository, this code is not what that commit holds.
        git("ls-files", "--error-unmatch", "--", here.name)
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", ":/*.py") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def device_name(device: str) -> str:
    """A device in words, such as "CPU (x86_64, 2 threads)"."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def provenance(device: str) -> dict[str, Any]:
    """Program version, commit, packages and device; no host name, no user, no path."""
    return {
        "bench": our_version(),
        "commit": git_commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "device": device_name(device),
        "packages": {name: package_version(name) for name in PACKAGES},
    }
