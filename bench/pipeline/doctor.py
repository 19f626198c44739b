"""`bench doctor`: what is installed, which device, data and weights are found, what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.data.workers import processors
from bench.files import cache_dir
from bench.provenance import EXTRAS, PACKAGES, how_to_install, missing_packages, package_version, packages_of
from bench.registry import METRICS


@dataclass(frozen=True)
class DoctorCheck:
    """One line of the report: what was checked, whether it was found, and what to do if it was not."""

    what: str
    state: Literal["ok", "missing"]
    detail: str


def examine(data_roots: list[tuple[str, Path]]) -> list[DoctorCheck]:
    """Check everything that the other subcommands rely on; nothing is fetched or changed.

    Args:
        data_roots: datasets and the folders to look for them in.
    """
    return [*_software(), _device(), *_metrics(), *_data(data_roots), _disk()]


def _software() -> list[DoctorCheck]:
    checks = [DoctorCheck("Python", "ok", platform.python_version())]
    beside = {name for extra in EXTRAS for name in packages_of(extra)}
    for name in PACKAGES:
        installed = package_version(name)
        if installed or name not in beside:
            advice = f"install it with `pip install {name}`"
            checks.append(DoctorCheck(name, "ok" if installed else "missing", installed or advice))
    for extra, purpose in EXTRAS.items():
        absent = missing_packages(extra)
        what = (
            f"{purpose}: {', '.join(absent)} missing; install with `{how_to_install(extra)}`"
            if absent
            else f"for {purpose}"
        )
        checks.append(DoctorCheck(f"extra {extra}", "missing" if absent else "ok", what))
    return checks


def _device() -> DoctorCheck:
    import torch

    if torch.cuda.is_available():
        from bench.engine.precision import choose_precision

        gpus = f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
        return DoctorCheck("device", "ok", f"{gpus}: {choose_precision('cuda').reason}")
    return DoctorCheck("device", "ok", f"CPU, {processors()} cores; PyTorch finds no GPU")


def _metrics() -> list[DoctorCheck]:
    checks = []
    for name in METRICS:
        reason = METRICS.load(name)().unavailable()
        checks.append(
            DoctorCheck(f"metric {name}", "missing" if reason else "ok", str(reason) if reason else "computable")
        )
    return checks


def _data(roots: list[tuple[str, Path]]) -> list[DoctorCheck]:
    from bench.data.clips import build_manifest
    from bench.errors import BenchError

    checks = []
    for dataset, root in roots:
        try:
            manifest = build_manifest(dataset, root)
        except BenchError as error:
            checks.append(DoctorCheck(f"dataset {dataset}", "missing", str(error)))
            continue
        counts = ", ".join(f"{len(manifest.split(split))} {split}" for split in ("train", "val", "test"))
        checks.append(DoctorCheck(f"dataset {dataset}", "ok", f"{counts} clips in {root}"))
    if not roots:
        checks.append(
            DoctorCheck(
                "datasets", "ok", "the synthetic dataset is built in; to check your own data, use --data sky=FOLDER"
            )
        )
    return checks


def _disk() -> DoctorCheck:
    folder = cache_dir()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return DoctorCheck("cache", "ok", f"{folder}, {free:.1f} GB free (to use another folder, set BENCH_CACHE_DIR)")
