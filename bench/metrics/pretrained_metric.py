"""What metrics with published weights share: which weights, where they lie, why not, and how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bench.errors import BenchError
from bench.metrics.base import Metric, Unavailable
from bench.metrics.networks import weights_catalog as weight_files
from bench.metrics.networks.fetch_weights import fetch


class PretrainedMetric(Metric):
    """A metric that runs a network with published weights, and nothing in its place where they are missing."""

    needs_weights = True
    #: Names in the table of weights: the first is what is fetched, the others are as good where they are available.
    weights: ClassVar[tuple[str, ...]]
    #: A file that the user named instead.
    _weights_path: Path | str | None = None

    def path(self) -> Path | None:
        """The file of weights that is used: the one that the user named, there or not, or the one that is found."""
        if self._weights_path is not None:
            return Path(self._weights_path)
        return next(filter(None, map(weight_files.find, self.weights)), None)

    def weights_path(self) -> Path:
        """The file of weights that is used; a `BenchError` says how to get it where none is found."""
        path = self.path()
        if path is None:
            raise BenchError(f"{self.unavailable()}.")
        return path

    def unavailable(self) -> Unavailable | None:
        """Why the metric cannot be computed here, or None."""
        path = self.path()
        if path is not None and path.is_file():
            return None
        missing = path or weight_files.weights_dir() / weight_files.known(self.weights[0]).filename
        command = weight_files.command(self.weights[0])
        return Unavailable(self.name, f"its weights ({missing.name}) are not available", command)

    def obtain(self) -> Unavailable | None:
        """Fetch the published weights where none are available; a file that the user named cannot be fetched."""
        if self._weights_path is None and self.unavailable():
            fetch(self.weights[0])
        return self.unavailable()

    def weights_id(self) -> str:
        """Name and hash of the weights."""
        return weight_files.identity(self.weights[0], self.weights_path())
