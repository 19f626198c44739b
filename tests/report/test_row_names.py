"""A third party's model gets its title, colour and stages everywhere, without a line changed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from bench.config import make_config
from bench.engine.model_factory import rows_account
from bench.interface import VideoModel
from bench.registry import MODELS
from bench.report.row_names import RowNames, names_of, registered_names
from bench.report.tables.score_table import make_table
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine
from tests.support.small import Tint

PROTOCOL = Protocol("sky", 64, "all", 3, "0123456789abcdef", False)


class Titled(Tint):
    """Somebody's model of two stages that says how it is printed."""

    rows = ("coarse", "fine")
    titles: ClassVar = {"coarse": "Coarse & first", "fine": "Fine"}
    colours: ClassVar = {"fine": "#123456"}
    presets: ClassVar = {"smoke": {"rate": 0.5}}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(MODELS, "_targets", {**MODELS._targets, "titled": "tests.report.test_row_names:Titled"})
    monkeypatch.setattr(MODELS, "load", lambda name, load=MODELS.load: Titled if name == "titled" else load(name))
    registered_names.cache_clear()
    yield
    registered_names.cache_clear()


@pytest.mark.usefixtures("registered")
def test_titles_colours_stages_and_presets_come_from_the_class() -> None:
    names = registered_names()
    assert names.title("coarse") == "Coarse & first"
    assert names.colours_of(["coarse", "fine"])["fine"] == "#123456"
    assert names.colours_of(["coarse", "fine"])["coarse"] not in ("", "#123456")
    assert ("coarse", "fine") in names.stages
    config = make_config({"models": ["titled"], "preset": "smoke"})
    assert config.options["titled"] == {"rate": 0.5}


@pytest.mark.usefixtures("registered")
def test_a_run_keeps_them_for_where_the_model_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.account.write_text(json.dumps({"rows": rows_account(["titled", "copy"])}))
    monkeypatch.undo()
    registered_names.cache_clear()
    assert "coarse" not in registered_names().titles
    names = names_of(tmp_path)
    assert names.title("coarse") == "Coarse & first"
    assert names.stages[0] == ("coarse", "fine")
    line = SummaryLine("sky", "coarse", "mse", 0.5, 0, 1, 3, 0, 1, 0.0, PROTOCOL.id)
    assert make_table([line], PROTOCOL, names).grid.lines[0].title == "Coarse & first"


def test_a_row_that_nobody_knows_is_printed_by_its_own_name() -> None:
    assert registered_names().title("mine") == RowNames().title("mine") == "mine"
    assert registered_names().title("real") == "Real"


def test_what_is_registered_says_how_it_is_printed() -> None:
    for name in MODELS:
        model: type[VideoModel] = MODELS.load(name)
        assert set(model.titles) == set(model.colours) == set(model.rows)


def test_ten_methods_that_nobody_registered_have_ten_colours_and_none_of_another() -> None:
    names = registered_names()
    rows = [f"mine-{number}" for number in range(8)]
    colours = names.colours_of([*rows, "copy", "vgan"])
    shown = [colours[row] for row in (*rows, "copy", "vgan")]
    assert len(set(shown)) == 10
