from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from baselines.vgan import VGAN
from bench.cli.main import app
from bench.config import FIELDS, PRESETS, apply_settings, as_command, is_offline, make_config, read_config
from bench.errors import BenchError


def smoke(**values: object) -> dict[str, object]:
    return {"preset": "smoke", "models": ["vgan"], **values}


def test_a_preset_fills_in_what_is_not_given() -> None:
    config = make_config(smoke(steps=7))
    assert config.steps == 7
    assert config.batch == PRESETS["smoke"]["batch"]
    assert config.resolution == 64
    assert config.options["vgan"] == VGAN.presets["smoke"]


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
        (smoke(clips="abc"), "clips is 'abc': expected a whole number above 0"),
        (smoke(clips=2.5), r"clips is 2\.5"),
        (smoke(seeds=1), "seeds is 1: expected a list of"),
        (smoke(seeds=[1.5]), r"seeds is \[1\.5\]"),
        (smoke(seeds=["a"]), r"seeds is \['a'\]"),
        (smoke(seeds=[-1]), r"seeds is \[-1\]"),
        (smoke(seeds=[]), r"seeds is \[\]"),
        (smoke(options=3), "options is 3: expected a table"),
        (smoke(options={"vgan": 3}), r"options is \{'vgan': 3\}: expected a table"),
        (smoke(preset={"x": 1}), r"preset is \{'x': 1\}: expected a name"),
        (smoke(dataset=5), "dataset is 5"),
        (smoke(data_root=5), "data_root is 5"),
        (smoke(metrics=[1]), r"metrics is \[1\]: expected a list of names"),
        (smoke(models=3), "models is 3: expected a list of names"),
        (smoke(batch=True), "batch is True: expected a whole number above 0"),
        (smoke(steps=True), "steps is True"),
        (smoke(flip=3), "flip is 3: expected true or false"),
        (smoke(compile=1), "compile is 1: expected true or false"),
        (smoke(ema=1.0), r"ema is 1\.0: expected a number from 0 to 0\.9999"),
        (smoke(decay_from=-0.1), r"decay_from is -0\.1: expected a number from 0 to 1"),
        (smoke(ema=True), "ema is True"),
        (smoke(fast=True), "fast is True: expected a list of names"),
        (smoke(fast="gramm"), r"There is no faster way 'gramm'\. Did you mean 'gram'"),
        (smoke(decay_from="half"), "decay_from is 'half'"),
        (smoke(frames=["all"]), r"frames is \['all'\]"),
        (smoke(options={"mdgan": {}}), "'mdgan', which is not in --models"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        make_config(values, baseline=False)


def test_files_and_settings(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('models = ["vgan"]\nsteps = 5\n[options.vgan]\nwidth = 4\n')
    values = apply_settings(read_config(tmp_path / "a.toml"), ["options.vgan.width=8", "device=cpu", "flip=true"])
    config = make_config({"preset": "smoke", **values})
    assert (config.steps, config.options["vgan"]["width"], config.device, config.flip) == (5, 8, "cpu", True)
    with pytest.raises(BenchError, match="is not a setting"):
        apply_settings({}, ["width"])
    with pytest.raises(BenchError, match="no configuration file"):
        read_config(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_text("steps = ")
    with pytest.raises(BenchError, match="not valid TOML"):
        read_config(tmp_path / "c.toml")


def test_every_key_is_checked() -> None:
    assert all(field.metadata["expected"] for field in FIELDS.values())


def test_names_may_be_one_text_with_commas() -> None:
    names = {"models": "mdgan, vgan", "metrics": "mse,ssim", "fast": "stream, gram"}
    config = make_config({"preset": "smoke", **names}, baseline=False)
    assert (config.models, config.metrics, config.fast) == (("mdgan", "vgan"), ("mse", "ssim"), ("gram", "stream"))


def test_what_cannot_be_read_or_set_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be read: Is a directory"):
        read_config(tmp_path)
    with pytest.raises(BenchError, match=r"'steps\.x=1' cannot be set: steps is 5"):
        apply_settings({"steps": 5}, ["steps.x=1"])
    (tmp_path / "date.toml").write_text("steps = 2020-01-01")  # a value that JSON does not have
    with pytest.raises(BenchError, match=r"steps is .*: expected a whole number"):
        make_config(smoke(**apply_settings(read_config(tmp_path / "date.toml"), [])))


def test_settings_leave_what_they_are_laid_over_as_it_was() -> None:
    settings = {"options": {"vgan": {"width": 4}}}
    assert apply_settings(settings, ["options.vgan.width=8"]) == {"options": {"vgan": {"width": 8}}}
    assert settings == {"options": {"vgan": {"width": 4}}}


@pytest.mark.parametrize(("text", "offline"), [("1", True), ("yes", True), ("0", False), ("", False), ("false", False)])
def test_the_environment_says_whether_to_stay_offline(
    text: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", text)
    assert is_offline() is offline


CONFIGS = st.fixed_dictionaries(
    {
        "models": st.lists(st.sampled_from(["mdgan", "vgan", "rnngan", "copy"]), min_size=1, unique=True),
        "preset": st.sampled_from(["smoke", "small", "medium", "paper"]),
        "dataset": st.sampled_from(["sky", "beach"]),
    },
    optional={
        "data_root": st.sampled_from(["/data/my skies", "synthetic"]),
        "frames": st.sampled_from(["all", "future"]),
        "metrics": st.lists(st.sampled_from(["mse", "ssim"]), min_size=1, unique=True),
        "clips": st.none() | st.integers(1, 99),
        "seeds": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        "steps": st.integers(0, 9),
        "batch": st.integers(1, 9),
        "resolution": st.sampled_from([32, 64, 128]),
        "accumulate": st.integers(1, 2),
        "compile": st.booleans(),
        "checkpoint_every": st.integers(1, 9),
        "validate_every": st.integers(1, 9),
        "log_every": st.integers(1, 9),
        "flip": st.booleans(),
        "select": st.sampled_from(["last", "best"]),
        "device": st.sampled_from(["auto", "cpu"]),
        "precision": st.sampled_from(["auto", "32-true"]),
        "ema": st.sampled_from([0.0, 0.5]),
        "decay_from": st.sampled_from([0.25, 1.0]),
        "fast": st.lists(st.sampled_from(["gram", "graph", "space-to-depth", "stream", "all"]), unique=True),
    },
)


@settings(max_examples=60, deadline=None)
@given(CONFIGS, st.integers(1, 9), st.booleans())
def test_the_command_of_a_run_gives_its_configuration_again(
    values: dict[str, object], width: int, baseline: bool
) -> None:
    models = values["models"]
    assert isinstance(models, list)
    if models[0] != "copy":
        values = values | {"options": {models[0]: {"width": width}}}
    config = make_config(values, baseline=baseline)
    seen: list[object] = []

    def stop(chosen: object, *_: object, **__: object) -> None:
        seen.append(chosen)
        raise BenchError("Seen.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.pipeline.run.run", stop)
        CliRunner().invoke(app, shlex.split(as_command(config.to_dict()))[1:])
    assert seen == [config]
