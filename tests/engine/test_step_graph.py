"""Steps with everything in tensors are the usual steps; and a recorded step, replayed, is the step that was recorded.

There is no CUDA here. `Tape` stands in for a graph: it records every operation of a step with its arguments, undoes
what that step did, and computes the operations again at each replay. A number that changes from step to step and is not
in a tensor, or a tensor that moves, shows as a difference.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.engine import step_graph
from bench.engine.model_factory import build
from bench.engine.step_graph import WARM_UP, StepGraph, make_capturable, stepper
from bench.engine.training_step import make_optimizers, train_step
from bench.engine.weight_averaging import WeightAverage, rate_share, rates_of, set_rates
from bench.errors import BenchError
from bench.interface import VideoModel
from tests.engine.distributed_worker import Flat

pytestmark = pytest.mark.training

CPU = torch.device("cpu")
STEPS = WARM_UP + 3


class Tape(TorchDispatchMode):
    """Records operations and computes them again, on the same memory."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Any]]] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, tree_leaves(made)))
        return made

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, made in self.operations:
            aliases = any(returned.alias_info for returned in func._schema.returns)
            again = tree_leaves(func(*args, **kwargs))
            if not aliases:  # a view, or what was written in place, is there already
                for place, value in zip(made, again, strict=True):
                    if isinstance(place, Tensor) and place.numel():
                        place.copy_(value)


@pytest.fixture
def fake_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """CUDA's graphs and streams, played on the CPU; the list is of what a recorded step must not have changed."""
    kept: list[Tensor] = []

    @contextmanager
    def record(tape: Tape, **_: object) -> Iterator[None]:
        before = [value.detach().clone() for value in kept]
        with tape:
            yield
        with torch.no_grad():
            for value, was in zip(kept, before, strict=True):
                value.copy_(was)

    stream = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Tape)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda other: nullcontext())
    monkeypatch.setattr(Tensor, "record_stream", lambda self, other: None)
    return kept


def clips(number: int) -> Tensor:
    return torch.rand(2, 3, 32, 64, 64, generator=torch.Generator().manual_seed(number)) * 2 - 1


class Training:
    """A stage that trains with falling rates and an average, in one of three ways: usual, in tensors, recorded."""

    def __init__(self, model: VideoModel, way: str, accumulate: int = 1) -> None:
        model = copy.deepcopy(model).train()
        self.stage = model.stages()[-1]
        self.optimizers = make_optimizers(self.stage)
        self.rates = rates_of(self.optimizers)
        self.networks = nn.ModuleList(player.network for player in self.stage.players)
        self.average = WeightAverage(self.networks, 0.9)
        compute = partial(train_step, self.stage, self.optimizers, accumulate=accumulate)
        self.step = stepper(compute, self.optimizers, self.average, CPU, graph=way != "usual")
        if way == "recorded":
            self.step = StepGraph(compute, self.average, captures=True)

    def state(self) -> list[Tensor]:
        moments = [value for optimizer in self.optimizers.values() for value in tree_leaves(optimizer.state_dict())]
        tensors = [value for value in moments if isinstance(value, Tensor) and value.ndim]
        counts = [s["step"] for o in self.optimizers.values() for s in o.state.values()]
        return [*self.networks.state_dict().values(), *self.average.weights, *tensors, *counts]

    def take(self, number: int) -> dict[str, float]:
        set_rates(self.optimizers, self.rates, rate_share(number, STEPS, 0.5))
        return {term: value.item() for term, value in self.step(clips(number), number).items()}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", ["mdgan", "flat"])
def test_steps_in_tensors_are_the_usual_steps_bit_for_bit(name: str, accumulate: int) -> None:
    torch.manual_seed(0)
    model = Flat(64, 32) if name == "flat" else build(name, {"width": 1}, 64)
    usual, tensors = (Training(model, way, accumulate) for way in ("usual", "tensors"))
    for number in range(1, STEPS + 1):
        assert usual.take(number) == tensors.take(number)
    assert all(torch.equal(*pair) for pair in zip(usual.state(), tensors.state(), strict=True))


@pytest.mark.parametrize(("name", "accumulate"), [("mdgan", 1), ("vgan", 2)])
def test_a_recorded_step_replayed_is_the_usual_step(name: str, accumulate: int, fake_graphs: list[Tensor]) -> None:
    model = build(name, {"width": 1 if name == "mdgan" else 2}, 64)
    usual, recorded = (Training(model, way, accumulate) for way in ("usual", "recorded"))
    for number in range(1, STEPS + 1):
        if number == WARM_UP + 1:
            fake_graphs += recorded.state()
        one, other = usual.take(number), recorded.take(number)
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
        assert list(one) == list(other)
    for one_state, other_state in zip(usual.state(), recorded.state(), strict=True):
        torch.testing.assert_close(one_state, other_state, rtol=1e-3, atol=1e-5)


def test_losses_of_earlier_steps_stay(fake_graphs: list[Tensor]) -> None:
    """They are read together, long after the next step has written where they were."""
    values = itertools.count()
    source = torch.zeros(())

    def compute(given: Tensor) -> dict[str, Tensor]:
        return {"loss": given.sum() + source}

    step = StepGraph(compute, None, captures=True)
    rows = []
    for number in range(1, WARM_UP + 4):
        source.fill_(next(values))
        rows.append(step(torch.full((1, 1), 0.5), number))
    assert [row["loss"].item() for row in rows] == [0.5 + value for value in range(WARM_UP + 3)]


def test_a_step_that_cannot_be_recorded_gets_one_sentence(
    fake_graphs: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = StepGraph(lambda given: {"loss": given.sum()}, None, captures=True)
    for number in range(1, WARM_UP + 1):
        step(torch.ones(2), number)

    @contextmanager
    def failing(graph: object, **_: object) -> Iterator[None]:
        yield
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore lines")

    monkeypatch.setattr(torch.cuda, "graph", failing)
    with pytest.raises(BenchError, match=r"cannot be recorded as a CUDA graph \(CUDA error: .* capturing\)\. .*leave"):
        step(torch.ones(2), WARM_UP + 1)


def test_an_optimizer_that_cannot_be_recorded_is_refused() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1)
    with pytest.raises(BenchError, match="the generator's SGD is not one of them: use Adam, or leave out graph"):
        make_capturable({"generator": optimizer}, CPU)


def test_rates_stay_in_their_tensors_when_states_are_restored() -> None:
    weight = nn.Parameter(torch.ones(2))
    made = {"generator": torch.optim.Adam([weight], 0.25, fused=True)}
    rates = rates_of(made)
    make_capturable(made, CPU)
    weight.grad = torch.ones(2)
    made["generator"].step()
    state = made["generator"].state_dict()
    made["generator"].load_state_dict(copy.deepcopy(state))
    make_capturable(made, CPU)
    place = made["generator"].param_groups[0]["lr"]
    set_rates(made, rates, 0.5)
    assert made["generator"].param_groups[0]["lr"] is place
    assert place.item() == 0.125
    assert step_graph.WARM_UP >= 1  # states are made before a step is recorded
