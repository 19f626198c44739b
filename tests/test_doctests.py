"""The examples in docstrings, as a reader would type them."""

from __future__ import annotations

import doctest
import importlib

import pytest

#: Modules whose docstrings have examples.
MODULES = (
    "bench.adversarial",
    "bench.config",
    "bench.data.batches",
    "bench.data.dataset",
    "bench.engine.model_factory",
    "bench.pipeline.evaluate",
    "bench.runfolder",
    "bench.scoring.protocol",
    "bench.scoring.named_protocols",
    "bench.scoring.protocol_choices",
    "mdgan.losses",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed
