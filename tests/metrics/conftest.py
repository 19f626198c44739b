"""Fixtures of the metrics' tests: published recipes of weights and clips, real photographs, distorted pairs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from bench.metrics.networks.i3d import I3D, PORTED_EPSILON, load_i3d


@pytest.fixture(scope="session")
def reference(shared_data: Path) -> Path:
    """The folder of reference fixtures."""
    return shared_data / "reference"


@pytest.fixture(scope="session")
def recipe(reference: Path) -> ModuleType:
    """The module that makes the weights and clips of the fixtures."""
    spec = importlib.util.spec_from_file_location("fixture_recipe", reference / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def i3d_tensors(recipe: ModuleType, reference: Path) -> dict[str, torch.Tensor]:
    """Weights of the I3D fixture."""
    tensors = recipe.state_dict(reference / "i3d_kinetics400.json", 20)
    return {name: torch.from_numpy(np.asarray(value)) for name, value in tensors.items()}


@pytest.fixture(scope="session")
def i3d(i3d_tensors: dict[str, torch.Tensor]) -> I3D:
    """The port of the I3D network with the fixture's weights."""
    return load_i3d(i3d_tensors, PORTED_EPSILON)


@pytest.fixture(scope="session")
def photographs(real_data: Path) -> np.ndarray:
    """Ten successive real frames, uint8 [10, 128, 128, 3]."""
    from PIL import Image

    paths = sorted((real_data / "sky_timelapse").rglob("*.jpg"))[:10]
    return np.stack([np.asarray(Image.open(path).convert("RGB").resize((128, 128))) for path in paths])
