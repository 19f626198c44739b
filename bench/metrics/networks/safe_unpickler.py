"""Reader for pickles of NumPy arrays that runs nothing they contain.

Some publishers distribute weights as a pickle of nested dicts of arrays. A pickle is a program, and Python's own reader
runs it whatever it does. This reader accepts the names that make up an array and refuses every other name. Not even
NumPy's constructors are called: stand-ins record their arguments, and become arrays once everything is read. Such files
use protocol 4, Python's default since 3.8.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError

#: Nested dicts by name, with arrays as leaves.
Tree = dict[str, Any]
#: Numbers of a fixed width: floats and integers.
_NUMBERS = re.compile(r"[fiu][1248]")


class _DtypeStandIn:
    """Stand-in for `numpy.dtype`: the kind, width and byte order of the numbers."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        if not _NUMBERS.fullmatch(self.code) or self.order not in ("<", ">", "|"):
            raise ValueError(f"numbers of the type {self.code!r}")
        return np.dtype(self.order + self.code)


class _ArrayStandIn:
    """Stand-in for `numpy.ndarray`: its shape, type and bytes."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def array(self) -> NDArray[Any]:
        _, shape, kind, by_columns, content = self.state
        dtype = kind.dtype()
        if len(content) != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{len(content)} bytes for an array {list(shape)}")
        return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


class _SafeUnpickler(pickle.Unpickler):
    """Unpickler that accepts only the names in the pickle of an array."""

    _KNOWN: Mapping[tuple[str, str], type] = {
        ("numpy.core.multiarray", "_reconstruct"): _ArrayStandIn,
        ("numpy._core.multiarray", "_reconstruct"): _ArrayStandIn,
        ("numpy", "ndarray"): _ArrayStandIn,
        ("numpy", "dtype"): _DtypeStandIn,
    }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._KNOWN:
            raise ValueError(f"the name {module}.{name}")
        return self._KNOWN[module, name]


def _arrays(content: Any) -> Any:
    if isinstance(content, _ArrayStandIn):
        return content.array()
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"a {type(content).__name__}")
    return {name: _arrays(item) for name, item in content.items()}


def read_arrays(content: bytes, what: str) -> Tree:
    """Nested dicts of arrays from the bytes of a pickle.

    Args:
        content: content of the file.
        what: name of the file, for the error message.

    Raises:
        BenchError: the pickle is damaged, or contains anything but dicts, arrays of numbers and their names.
    """
    try:
        tree = _arrays(_SafeUnpickler(io.BytesIO(content)).load())
    except Exception as error:  # a pickle can be written to raise any exception
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise BenchError(
            f"{what} is damaged, or contains more than arrays of numbers ({detail}). For safety, it is not read."
        ) from error
    if not isinstance(tree, dict):
        raise BenchError(f"{what} contains one array: expected arrays by name.")
    return tree


def by_path(tree: Tree, above: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays with their paths in the nested dicts, joined by `/`."""
    for name, item in tree.items():
        if isinstance(item, dict):
            yield from by_path(item, f"{above}{name}/")
        else:
            yield f"{above}{name}", item
