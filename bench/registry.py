"""Registries of what the command line refers to by name: one line per entry, imported only on request.

Third parties add entries with entry points in their pyproject: `name = "package.module:attribute"` under
`timelapse_bench.models`, `timelapse_bench.datasets` or `timelapse_bench.metrics`.
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

#: The data root that represents the synthetic dataset.
SYNTHETIC = "synthetic"
#: Defaults if no dataset or models are named.
DEFAULT_DATASET = "sky"
DEFAULT_MODELS = ("mdgan", "vgan", "rnngan")
#: Faster ways to train on a GPU, the values of a run's `fast`.
FAST = ("gram", "graph", "space-to-depth", "stream")


class Registry:
    """A mapping from names to lazily imported objects.

    Registering a name twice raises. Looking up an unknown name raises a `BenchError` that suggests the nearest one.

    For a name `PREFIX.member` whose `member` is in `families`, the target's `named` makes a class from the name.
    """

    def __init__(self, kind: str, builtin: dict[str, str], families: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.families = families or {}
        self._targets: dict[str, str] = {}
        self._third_parties_read = False
        for name, target in builtin.items():
            self.add(name, target)

    def add(self, name: str, target: str) -> None:
        """Register `name` as `"module:attribute"`; raise a `BenchError` if the name is taken."""
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
        """Import and return the object behind `name`."""
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
        """The names to use by default: all except those whose object has `default = False`."""
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

#: Reference implementations, which `bench speed train` compares with our models. A model without one is compared with
#: itself in a plain training loop.
PLAIN = Registry("plain model", {"mdgan": "mdgan.plain_reference:PlainMDGAN"})

#: Models built from their authors' checkpoint files, with arguments `resolution`, `stage1`, `stage2`, `batch_norm`.
PUBLISHED = Registry("published model", {"mdgan": "mdgan.authors_checkpoints:PublishedMDGAN"})

#: Results that papers report for these models, for comparison with our measurements.
PAPERS = Registry("paper", {"mdgan": "mdgan.paper_results:PAPER"})

#: Subcommands defined by packages other than `bench`: each a Typer app or a function, imported when it starts.
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
    """Return the named faster ways of training, each once, or all of them; see `FAST`."""
    if unknown := [name for name in names if name not in (*FAST, "all")]:
        raise BenchError(f"There is no faster way '{unknown[0]}'.{did_you_mean(unknown[0], FAST)}")
    return tuple(way for way in FAST if {way, "all"} & {*names})


#: The packages that are installed together and refer to each other by name as text.
SIBLINGS = ("baselines", "mdgan", "study_app")


def check_siblings() -> None:
    """Raise a `BenchError` if another program's package shadows one of ours.

    The names are common words (other programs have a `baselines` too), and Python imports the first one on its path.
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
