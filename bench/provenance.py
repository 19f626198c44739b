"""Provenance of a result (versions, processor, device), stored in every run folder."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

#: The name under which this program is installed.
DISTRIBUTION = "timelapse-bench"
#: Extras that can be installed in addition to what scoring needs, and their purposes.
EXTRAS = {"train": "training and generating", "study": "the study with people", "speed": "bench speed metrics"}
EXTRAS |= {
    "time": "the metrics tof and cvvdp",
    "authors": "fetching checkpoints that authors publish",
    "hub": "sending a run to Hugging Face",
}
#: Packages whose version can change a number.
PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "scipy", "scikit-image", "pillow", "av", "pandas")


def package_version(name: str) -> str | None:
    """Version of an installed package; None if it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def our_version() -> str | None:
    """This program's version: that of its source tree if it runs from one, else the installed version.

    A source tree may have been updated since the program was installed from it.
    """
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    try:
        project_table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        project_table = {}
    return str(project_table["version"]) if project_table.get("name") == DISTRIBUTION else package_version(DISTRIBUTION)


def packages_of(extra: str) -> list[str]:
    """Names of the packages that one of our extras installs; empty if this program is not installed."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    in_extra = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if in_extra.search(line)]


def missing_packages(extra: str) -> list[str]:
    """Names of an extra's packages that are not installed."""
    return [name for name in packages_of(extra) if package_version(name) is None]


def how_to_install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def extra_of(module: str) -> str | None:
    """The extra that installs a module which could not be imported; None if none of ours does.

    >>> extra_of("nothing_of_ours") is None
    True
    """
    package = module.partition(".")[0].replace("_", "-").lower()
    return next((extra for extra in EXTRAS if package in map(str.lower, packages_of(extra))), None)


def git_commit() -> str | None:
    """Commit of the source tree this code runs from, with `-dirty` if files were changed; None outside of one."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        # If this code is installed in an environment inside another repository, that commit does not contain it.
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


def processor_name() -> str:
    """The processor's model name, such as "Intel(R) Xeon(R) Processor"; its architecture if the name is unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^(?:model name|Hardware|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def instruction_set() -> str:
    """The vector instructions that PyTorch uses on this processor, and the limit that is set for oneDNN, if any.

    Examples are "AVX512" and "AVX512 (oneDNN: at most AVX2)". The instructions decide which kernels run, and so a
    result's last bits.
    """
    import torch

    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    used = torch.backends.cpu.get_cpu_capability()
    return used if limit.upper() in ("DEFAULT", "ALL") else f"{used} (oneDNN: at most {limit.upper()})"


def onednn_version() -> str | None:
    """The version of oneDNN that PyTorch was built with; None if there is none."""
    import torch

    named = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    return named[1] if named else None


def provenance(device: str) -> dict[str, Any]:
    """Program version, commit, packages, processor and device, without host name, user or path."""
    import torch

    return {
        "bench": our_version(),
        "commit": git_commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "device": device_name(device),
        "processor": processor_name(),
        "instruction_set": instruction_set(),
        "onednn": onednn_version(),
        "threads": torch.get_num_threads(),
        "packages": {name: package_version(name) for name in PACKAGES},
    }


def with_session(account: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """`provenance` of the first session, and `sessions`: those in an account, plus the current one if it differs."""
    first = account.get("provenance")
    sessions = list(account.get("sessions") or ([first] if first else []))
    if not sessions or changes(sessions[-1], now):
        sessions.append(dict(now))
    return {"provenance": first or sessions[0], "sessions": sessions}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Differences between two accounts of where something was computed, such as "torch 2.14.1 → 2.15.0".

    Keys that only one of them contains are not a difference, because older accounts contain fewer keys.

    >>> changes({"threads": 1, "packages": {"torch": "2.14.1"}}, {"threads": 1, "packages": {"torch": "2.15.0"}})
    ['torch 2.14.1 → 2.15.0']
    """
    found = []
    for key in before.keys() & now.keys():
        old, new = before[key], now[key]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changes(old, new)
        elif old != new:
            found.append(f"{key} {old} → {new}")
    return sorted(found)
