"""Compilation by Numba, with the compiled code cached on disk where possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function for one core, with NumPy's arithmetic and without holding the interpreter lock.

    The code is compiled once per machine and cached. If the installation is not writable and there is no home folder,
    it is compiled once per process.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # Numba raises this if it finds no folder for its cache
        return njit(**options)(function)
