"""Base class of metrics with published weights: which ones, their location, why they are missing, how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bench.errors import BenchError
from bench.metrics.base import Metric, Unavailable
from bench.metrics.networks import weights_catalog as weight_files
from bench.metrics.networks.fetch_weights import fetch


class PretrainedMetric(Metric):
    """A metric that runs a network with published weights, without a substitute if they are missing."""

    needs_weights = True
    #: Names in the table of weights: the first is fetched; the others are equally good if they are available.
    weights: ClassVar[tuple[str, ...]]
    #: A file that the user specified instead.
    _weights_path: Path | str | None = None

    def path(self) -> Path | None:
        """The weights file to use: the one that the user specified, whether or not it exists, or else the one found."""
        if self._weights_path is not None:
            return Path(self._weights_path)
        return next(filter(None, map(weight_files.find, self.weights)), None)

    def weights_path(self) -> Path:
        """The weights file to use; raises a `BenchError` that explains how to get it if none is found."""
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
        """Fetch the published weights if none are available; a file that the user specified cannot be fetched."""
        if self._weights_path is None and self.unavailable():
            fetch(self.weights[0])
        return self.unavailable()

    def weights_id(self) -> str:
        """Name and hash of the weights."""
        return weight_files.identity(self.weights[0], self.weights_path())
