"""What can be named on the command line: one line each, imported only when asked for.

Third parties add theirs by entry point: in their pyproject, under `timelapse_bench.models`,
`timelapse_bench.datasets` or `timelapse_bench.metrics`, `name = "package.module:attribute"`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean

#: The data root that stands for the synthetic dataset.
SYNTHETIC = "synthetic"
#: What is meant where nothing else is said.
DEFAULT_DATASET = "sky"
DEFAULT_MODELS = ("mdgan", "vgan", "rnngan")
#: Faster ways to train on a GPU, which a run's `fast` names.
FAST = ("gram", "graph", "space-to-depth", "stream")


class Registry:
    """Names to lazily imported objects.

    A name registered twice raises; a name that is not there raises a `BenchError` with the nearest one that is.

    A name `PREFIX.member`, where `member` is in `families`, stands for a class that the target's `named` makes of it.
    """

    def __init__(self, kind: str, builtin: dict[str, str], families: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.families = families or {}
        self._targets: dict[str, str] = {}
        self._third_parties_read = False
        for name, target in builtin.items():
            self.add(name, target)

    def add(self, name: str, target: str) -> None:
        """Register `name` as `"module:attribute"`; a taken name is a `BenchError`."""
        if name in self._targets:
            raise BenchError(
                f"The {self.kind} name '{name}' is already registered for {self._targets[name]}; choose another "
                f"name for {target}."
            )
        self._targets[name] = target

    def _read_third_parties(self) -> None:
        if self._third_parties_read:
            return
        self._third_parties_read = True
        for entry in entry_points(group=f"timelapse_bench.{self.kind}s"):
            self.add(entry.name, entry.value)

    def check(self, name: str) -> str:
        """Return `name` if it is registered; otherwise raise a `BenchError` that suggests the nearest one."""
        self._read_third_parties()
        if self.prefix(name):
            raise BenchError(f"The {self.kind} '{name}' needs features. Pass them to `bench score --features`.")
        if name not in self._targets:
            raise BenchError(f"There is no {self.kind} '{name}'.{did_you_mean(name, self._targets)}")
        return name

    def load(self, name: str) -> Any:
        """Import and return what `name` stands for."""
        target = self.target(name)
        module, _, attribute = target.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise BenchError(f"The {self.kind} '{name}' ({target}) cannot be imported: {error}.") from error
        return found.named(name) if self.prefix(name) else found

    def prefix(self, name: str) -> str:
        """The PREFIX of a name `PREFIX.member` of a family; empty for other names.

        >>> METRICS.prefix("vjepa.frechet"), METRICS.prefix("mse")
        ('vjepa', '')
        """
        prefix, _, member = name.rpartition(".")
        return prefix if re.fullmatch(r"[A-Za-z0-9][\w-]*", prefix) and member in self.families else ""

    def defaults(self) -> list[str]:
        """The names that stand where nobody gives any: all but those whose object says `default = False`."""
        return [name for name in self if getattr(self.load(name), "default", True)]

    def target(self, name: str) -> str:
        """Return the `"module:attribute"` behind a name."""
        return self.families[name.rpartition(".")[2]] if self.prefix(name) else self._targets[self.check(name)]

    def __iter__(self) -> Iterator[str]:
        self._read_third_parties()
        return iter(self._targets)


MODELS = Registry(
    "model",
    {
        "mdgan": "mdgan.model:MDGAN",
        "vgan": "baselines.vgan:VGAN",
        "rnngan": "baselines.rnngan:RNNGAN",
        "copy": "baselines.copy_first:CopyFirst",
    },
)

#: Models as one would write them first, which `bench speed train` measures ours against; a model that has none here is
#: measured against itself in a plain loop.
PLAIN = Registry("plain model", {"mdgan": "mdgan.plain_reference:PlainMDGAN"})

#: Models made of their authors' checkpoint files: constructed with `resolution`, `stage1`, `stage2`, `batch_norm`.
PUBLISHED = Registry("published model", {"mdgan": "mdgan.authors_checkpoints:PublishedMDGAN"})

#: What papers printed of these models, to stand beside what is measured here.
PAPERS = Registry("paper", {"mdgan": "mdgan.paper_results:PAPER"})

#: Subcommands that packages beside `bench` define: a Typer app or one function each, imported when it starts.
COMMANDS = Registry(
    "command",
    {
        "study": "study_app.cli.main:app",
        "agree": "study_app.cli.results:agree",
        "reproduce": "study_app.cli.results:reproduce",
    },
)

DATASETS = Registry(
    "dataset",
    {
        "sky": "bench.data.layouts.sky:index",
        "beach": "bench.data.layouts.beach:index",
        "folder": "bench.data.layouts.folder:index",
    },
)

METRICS = Registry(
    "metric",
    {
        "mse": "bench.metrics.mse:MSE",
        "psnr": "bench.metrics.psnr:PSNR",
        "psnr_frame": "bench.metrics.psnr:PSNRFrame",
        "ssim": "bench.metrics.ssim:SSIM",
        "motion": "bench.metrics.motion:Motion",
        "lpips": "bench.metrics.lpips:LPIPS",
        "fid": "bench.metrics.fid:FID",
        "fvd": "bench.metrics.fvd:FVD",
        "kvd": "bench.metrics.kvd:KVD",
        "fvd_videogpt": "bench.metrics.fvd:PortedFVD",
        "tof": "bench.metrics.tof:TOF",
        "tlp": "bench.metrics.tlp:TLP",
        "jerk": "bench.metrics.jerk:Jerk",
        "flickering": "bench.metrics.flickering:Flickering",
        "cvvdp": "bench.metrics.cvvdp:ColorVideoVDP",
    },
    families={
        "frechet": "bench.metrics.feature_metrics:FrechetOfFeatures",
        "mmd": "bench.metrics.feature_metrics:MMDOfFeatures",
        "jedi": "bench.metrics.feature_metrics:JEDiOfFeatures",
        "precision": "bench.metrics.feature_metrics:PrecisionOfFeatures",
        "recall": "bench.metrics.feature_metrics:RecallOfFeatures",
        "density": "bench.metrics.feature_metrics:DensityOfFeatures",
        "coverage": "bench.metrics.feature_metrics:CoverageOfFeatures",
    },
)


def check_fast(names: Iterable[str]) -> tuple[str, ...]:
    """The faster ways of training that are named, each once, or all of them; see `FAST`."""
    if unknown := [name for name in names if name not in (*FAST, "all")]:
        raise BenchError(f"There is no faster way '{unknown[0]}'.{did_you_mean(unknown[0], FAST)}")
    return tuple(way for way in FAST if {way, "all"} & {*names})


#: The packages that are installed together and name each other as text.
SIBLINGS = ("baselines", "mdgan", "study_app")


def check_siblings() -> None:
    """Raise a `BenchError` where another program's package is in the way of one of ours.

    Their names are plain words (other programs have a `baselines` too), and Python takes the first one on its path.
    """
    ours = Path(__file__).resolve().parents[1]
    for package in SIBLINGS:
        spec = find_spec(package)
        if spec is None:
            raise BenchError(f"The package '{package}' is missing next to {ours / 'bench'}: reinstall this program.")
        place = Path(spec.origin).parent if spec.origin else Path(next(iter(spec.submodule_search_locations or "?")))
        if place.resolve() != ours / package:
            raise BenchError(
                f"Python takes '{package}' from {place}, which is another program's, and not from {ours / package}: "
                "install this program into its own environment, or start it in a folder where Python does not "
                "find the other one."
            )
