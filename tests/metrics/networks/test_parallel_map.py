from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from bench.metrics.networks.parallel_map import one_core_each


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_each_item_has_one_core_and_the_caller_keeps_its_own(two_threads: None) -> None:
    def thread_counts(_: int) -> tuple[int, int]:
        torch.ones(100_000).sum()  # the first operation of a thread may set its number of threads
        return torch.get_num_threads(), threading.get_ident()

    found = one_core_each(thread_counts, range(8))
    assert {number for number, _ in found} == {1}
    assert threading.get_ident() not in {thread for _, thread in found}
    assert torch.get_num_threads() == 2


def test_items_within_items_run_on_the_same_core(two_threads: None) -> None:
    def inner(_: int) -> int:
        return threading.get_ident()

    for thread, threads in one_core_each(lambda _: (threading.get_ident(), one_core_each(inner, range(3))), range(4)):
        assert threads == [thread] * 3


def test_results_come_in_order_and_errors_reach_the_caller(two_threads: None) -> None:
    assert one_core_each(lambda item: item**2, range(20)) == [item**2 for item in range(20)]
    with pytest.raises(ZeroDivisionError):
        one_core_each(lambda item: 1 // item, range(3))
