from __future__ import annotations

import collections
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError
from bench.metrics.networks.safe_unpickler import by_path, read_arrays


def test_arrays_come_back_as_they_were() -> None:
    rng = np.random.default_rng(0)
    tree = {
        "a": {"b/c": rng.normal(size=(2, 3, 4)).astype(np.float32), "d": np.float64(rng.normal(size=3))},
        "e": np.asfortranarray(rng.normal(size=(3, 5))),
        "f": np.arange(4, dtype=">i2"),
        "g": np.zeros((0, 3), np.uint8),
    }
    found = read_arrays(pickle.dumps(tree, protocol=4), "x")
    expected, ours = dict(by_path(tree)), dict(by_path(found))
    assert list(expected) == list(ours) == ["a/b/c", "a/d", "e", "f", "g"]
    for name, array in expected.items():
        assert ours[name].dtype == array.dtype
        np.testing.assert_array_equal(ours[name], array)


class Calls:
    """Calls a function with arguments when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Calls(eval, "1/0"), "builtins.eval"),
        (Calls(np.load, "/etc/passwd"), "numpy.*load"),
        (Calls(getattr, {}, "clear"), "builtins.getattr"),
        (collections.OrderedDict(x=np.zeros(2)), "collections.OrderedDict"),
        (np.array([object], object), "builtins.object"),
        (np.array(["text"]), "numbers of the type"),
        (np.zeros(2, [("x", "f4")]), "numbers of the type"),
        ("text", "a str"),
        ([np.zeros(2)], "a list"),
        (np.float32(1), "scalar"),
    ],
)
def test_whatever_is_no_array_of_numbers_is_refused(content: object, words: str) -> None:
    with pytest.raises(BenchError, match=f"net.ckpt is damaged, or contains more than arrays of numbers .*{words}"):
        read_arrays(pickle.dumps({"x": content}), "net.ckpt")


@pytest.mark.parametrize("cut", [0, 1, 50, 200])
def test_a_cut_or_empty_file_is_refused(cut: int) -> None:
    content = pickle.dumps({"x": np.arange(100.0)})
    with pytest.raises(BenchError, match=r"net\.ckpt is damaged"):
        read_arrays(content[:cut], "net.ckpt")


def test_a_shape_that_its_bytes_do_not_fill_is_refused() -> None:
    content = pickle.dumps({"x": np.zeros(100, np.uint8)}, protocol=4)
    lying = content.replace(b"Kd\x85", b"K\xff\x85")  # the shape, (100,) made (255,)
    assert lying != content
    with pytest.raises(BenchError, match=r"100 bytes for an array \[255\]"):
        read_arrays(lying, "net.ckpt")


def test_numbers_of_a_name_that_is_no_text_or_one_array_alone_are_refused() -> None:
    with pytest.raises(BenchError, match="more than arrays"):
        read_arrays(pickle.dumps({1: np.zeros(2)}), "net.ckpt")
    with pytest.raises(BenchError, match="one array"):
        read_arrays(pickle.dumps(np.zeros(2)), "net.ckpt")
