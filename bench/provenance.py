"""What a result was made with: travels with every run folder."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: What this program is installed as.
DISTRIBUTION = "timelapse-bench"
#: Packages whose version can move a number.
PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "scipy", "scikit-image", "pillow", "av", "pandas")


def package_version(name: str) -> str | None:
    """Version of an installed package, None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


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
        "bench": package_version(DISTRIBUTION),
        "commit": git_commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "device": device_name(device),
        "packages": {name: package_version(name) for name in PACKAGES},
    }
