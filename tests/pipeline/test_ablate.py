from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.errors import BenchError
from bench.files import read_json
from bench.pipeline.ablate import ablations
from mdgan.model import MDGAN, MDGANOptions
from tests.support.small import Tint

pytestmark = pytest.mark.usefixtures("blank_figures")

CHANGES = {"no haste": {"rate": 1e-5}, "much haste": {"rate": 0.2}}


def command(sky: Path, out: Path, *more: str) -> list[str]:
    small = ["--steps", "2", "--set", "batch=2", "--set", "validate_every=9", "--device", "cpu", "--metrics", "mse"]
    return ["ablate", "--model", "tint", "--data-root", str(sky), "--preset", "smoke", "--out", str(out), *small, *more]


@pytest.mark.training
def test_every_variant_is_a_run_and_all_stand_in_one_table(
    sky: Path, tmp_path: Path, tint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tint, "ablations", CHANGES)
    done = CliRunner().invoke(app, command(sky, tmp_path / "out", "--seeds", "0,1"))
    assert done.exit_code == 0, (done.output, done.exception)
    table = read_json(tmp_path / "out" / "table.json")
    assert [row["row"] for row in table["rows"]] == ["tint (whole)", "copy", "tint (no-haste)", "tint (much-haste)"]
    assert all("±" in row["mse"] for row in table["rows"] if "tint" in row["row"])
    configs = {name: read_json(tmp_path / "out" / name / "run.json")["config"] for name in ("whole", "much-haste")}
    assert configs["whole"]["options"] == {"copy": {}, "tint": {}}
    assert configs["much-haste"]["options"] == {"tint": {"rate": 0.2}}
    values = {row["row"]: row["mse"] for row in table["rows"]}
    assert values["tint (no-haste)"] != values["tint (much-haste)"]


def test_unknown_ablations_are_refused(sky: Path, tmp_path: Path, tint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="'tint' has no ablations"):
        ablations("tint")
    monkeypatch.setattr(Tint, "ablations", CHANGES)
    done = CliRunner().invoke(app, command(sky, tmp_path / "out", "--only", "no hast"))
    assert isinstance(done.exception, BenchError)
    assert "no ablation 'no hast'. Did you mean 'no haste'" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("preset", ["smoke", "small", "medium"])
def test_each_ablation_of_mdgan_changes_something_of_every_preset(preset: str) -> None:
    whole = MDGANOptions(**MDGAN.presets[preset])
    changed = [MDGANOptions(**{**MDGAN.presets[preset], **change}) for change in MDGAN.ablations.values()]
    assert len({*changed, whole}) == len(changed) + 1 >= 6
