"""Train, score and compare time-lapse video generators: one number, one meaning."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `bench.evaluate` when it is used: the command's other verbs need not wait for it."""
    if name == "evaluate":
        from bench.api import evaluate

        return evaluate
    raise AttributeError(name)
