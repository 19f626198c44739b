"""Train, score and compare time-lapse video generators: one number, one meaning."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Resolve slow attributes on first use, so that subcommands that do not need them do not wait."""
    if name == "evaluate":
        from bench.pipeline.evaluate import evaluate

        return evaluate
    if name == "__version__":
        from bench.provenance import our_version

        return our_version()
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
