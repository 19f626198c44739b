"""Gradients of every model's training steps with each of oneDNN's instruction sets, on one thread and on two.

A process reads the instruction set once, so each has one of its own (`tests.support.processes`).
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import torch

from tests.support.processes import Forked

pytestmark = pytest.mark.process
#: By oneDNN's name, what its account of itself has to say; what a processor lacks is what it has.
SETS = {"DEFAULT": "isa:", "AVX2": "isa:Intel AVX2"}


def check_all() -> None:
    """In a process of its own: every model, stage and kind of options; on two threads the options of `smoke`."""
    from bench.config import PRESETS
    from bench.engine.gradient_check import check_gradients
    from bench.engine.model_factory import build
    from bench.pipeline.numerics import narrowed, sample_clips
    from bench.registry import DEFAULT_MODELS

    torch.set_num_threads(1)
    for name in DEFAULT_MODELS:
        # Learning rates, and the weights of losses, choose no kernel.
        models = {str(model): model for model in (build(name, narrowed(name, preset), 64) for preset in PRESETS)}
        work = [(1, model) for model in models.values()] + [(2, build(name, narrowed(name, "smoke"), 64))]
        for count, model in work:
            torch.set_num_threads(count)
            for number in range(len(model.stages())):
                check = check_gradients(model, number, sample_clips(model, 2))
                print(name, number, check, flush=True)
                assert check.right
    os._exit(0)  # and not through the end of a process that forked


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are instruction sets of x86")
@pytest.mark.parametrize("limit", SETS)
def test_gradients_are_right_with_every_instruction_set(limit: str, tmp_path: Path) -> None:
    env = {"ONEDNN_MAX_CPU_ISA": limit, "ONEDNN_VERBOSE": "2"}
    done = Forked(tmp_path, check_all, env=env).wait()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if not line.startswith("onednn_verbose,v1,primitive,exec")]
    assert any(SETS[limit] in line for line in lines), lines[:20]
    assert sum("GradientCheck" in line for line in lines) == 7 + 4
    if limit == "AVX2":
        assert "jit:avx512" not in done.stdout
