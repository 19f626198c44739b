"""Compilation by Numba, which keeps what it made on disk where it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled for one core, with the arithmetic of NumPy and free of the interpreter's lock.

    The compiled code is kept and made once for a machine; where the installation cannot be written to and there is no
    home either, it is made once for a process.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # Numba's word for: no folder to keep it in
        return njit(**options)(function)
