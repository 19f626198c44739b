"""The notebook, cell by cell from its top, as Jupyter runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.small import REPOSITORY


@pytest.mark.docs
def test_the_notebook_runs_from_clips_to_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((REPOSITORY / "docs" / "tutorials" / "notebook.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["language"]) == (4, "python")
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell.get("outputs") for cell in notebook["cells"])  # whoever opens it makes their own
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    for cell in cells:
        exec(compile(cell, "<notebook>", "exec"), known)
    assert np.asarray(Image.open(tmp_path / "scores.png").convert("L")).std() > 5
    means = known["table"].pivot(index="row", columns="metric", values="value")
    assert means.loc["copy of the first frame", "motion"] == 0
    assert means["mse"].idxmin() == "blurred"
