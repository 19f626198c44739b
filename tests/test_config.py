from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import PRESETS, apply_settings, make_config, read_config
from bench.errors import BenchError


def smoke(**values: object) -> dict[str, object]:
    return {"preset": "smoke", "models": ["vgan"], **values}


def test_a_preset_fills_in_what_is_not_given() -> None:
    config = make_config(smoke(steps=7))
    assert config.steps == 7
    assert config.batch == PRESETS["smoke"]["batch"]
    assert config.resolution == 64
    assert config.options["vgan"] == PRESETS["smoke"]["options"]["vgan"]


def test_the_paper_preset_has_the_papers_sizes() -> None:
    assert make_config({"preset": "paper", "models": ["mdgan"], "dataset": "sky"}).resolution == 128
    assert make_config({"preset": "paper", "models": ["mdgan"], "dataset": "beach"}).resolution == 64
    assert make_config({"preset": "paper", "models": ["mdgan"]}).options["mdgan"]["width"] == 32


def test_every_run_has_the_copy_baseline_unless_told_not_to() -> None:
    assert make_config(smoke()).models == ("vgan", "copy")
    assert make_config(smoke(models=["copy", "vgan"])).models == ("copy", "vgan")
    assert make_config(smoke(), baseline=False).models == ("vgan",)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (smoke(stepz=3), r"no configuration key 'stepz'\. Did you mean 'steps'"),
        (smoke(models=["vgam"]), r"no model 'vgam'\. Did you mean 'vgan'"),
        (smoke(metrics=["sim"]), r"no metric 'sim'\. Did you mean 'ssim'"),
        (smoke(dataset="beech"), r"no dataset 'beech'\. Did you mean 'beach'"),
        (smoke(preset="smal"), r"no preset 'smal'\. Did you mean 'small'"),
        (smoke(frames="some"), "frames is 'some'"),
        (smoke(steps=-1), "steps is -1"),
        (smoke(batch=0), "batch is 0"),
        (smoke(clips=0), "clips is 0"),
        (smoke(seeds=[1, 1]), "seeds is"),
        (smoke(models=[]), "No model is named"),
        (smoke(options={"mdgan": {}}), "the model 'mdgan', which this run does not have"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        make_config(values, baseline=False)


def test_files_and_settings(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('models = ["vgan"]\nsteps = 5\n[options.vgan]\nwidth = 4\n')
    values = apply_settings(read_config(tmp_path / "a.toml"), ["options.vgan.width=8", "device=cpu", "flip=true"])
    config = make_config({"preset": "smoke", **values})
    assert (config.steps, config.options["vgan"], config.device, config.flip) == (5, {"width": 8}, "cpu", True)
    with pytest.raises(BenchError, match="is no setting"):
        apply_settings({}, ["width"])
    with pytest.raises(BenchError, match="no configuration file"):
        read_config(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_text("steps = ")
    with pytest.raises(BenchError, match="not valid TOML"):
        read_config(tmp_path / "c.toml")
