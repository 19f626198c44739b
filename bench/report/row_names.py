"""Display names and colours of rows, as defined by the models that produce the rows.

A run stores them in its `run.json`, so that its report stays the same if a model is not installed. Rows that
`run.json` does not name are looked up among the registered models. A name unknown there is printed unchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from bench.errors import BenchError
from bench.files import read_json
from bench.registry import MODELS
from bench.runfolder import REAL, RunFolder
from bench.scoring.set_metrics import REAL_HALVES

#: Colours for rows without their own; colour-blind readers can tell all of them apart (Okabe and Ito 2008).
OTHERS = ("#cc79a7", "#d55e00", "#8c6d1f", "#5e3c99", "#b2182b", "#0072b2", "#009e73", "#e69f00", "#56b4e9", "#7f7f7f")


@dataclass(frozen=True)
class RowNames:
    """Display names and colours of rows.

    Attributes:
        titles, colours: by row; rows without one are missing.
        stages: rows of each model that has more than one, in the order of its stages.
        models: rows of each model, in the order of its stages.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    stages: Sequence[tuple[str, ...]] = ()
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def stage_title(self, model: str, number: int, name: str) -> str:
        """Display name of a training stage: the row that it trains, or else the model and the stage's own name."""
        rows = self.models.get(model, ())
        if number < len(rows):
            return self.title(rows[number])
        return f"{self.title(rows[0]) if rows else model}, {name}"

    def title(self, row: str) -> str:
        """A row's display name."""
        return self.titles.get(row, row)

    def colours_of(self, rows: Sequence[str]) -> dict[str, str]:
        """A colour for each row, the same in every figure: its own, or else the next unused one of `OTHERS`."""
        taken = {self.colours.get(row) for row in rows}
        free = itertools.cycle([colour for colour in OTHERS if colour not in taken] or OTHERS)
        return {**self.colours, **{row: next(free) for row in rows if not self.colours.get(row)}}


@lru_cache(maxsize=1)
def registered_names() -> RowNames:
    """Row names of registered models; a plug-in that cannot be imported contributes none."""
    titles, colours, stages = {REAL: "Real", REAL_HALVES: "Real vs. real (split-half)"}, {REAL: "#000000"}, []
    models = {}
    for name in MODELS:
        try:
            model = MODELS.load(name)
        except BenchError:
            continue
        titles |= getattr(model, "titles", {})
        colours |= getattr(model, "colours", {})
        models[name] = tuple(model.rows)
        if len(model.rows) > 1:
            stages.append(tuple(model.rows))
    return RowNames(titles, colours, stages, models)


def names_of(out: Path) -> RowNames:
    """Row names of a run folder, or the registered names for any other folder."""
    known = registered_names()
    account = RunFolder(out).account
    rows = read_json(account).get("rows", {}) if account.exists() else {}
    by_model: dict[str, list[str]] = {}
    for row, stored in rows.items():
        by_model.setdefault(stored["model"], []).append(row)
    stages = [tuple(own) for own in by_model.values() if len(own) > 1]
    return RowNames(
        {**known.titles, **{row: stored["title"] for row, stored in rows.items()}},
        {**known.colours, **{row: stored["colour"] for row, stored in rows.items() if stored["colour"]}},
        [*stages, *(own for own in known.stages if own not in stages)],
        {**known.models, **by_model},
    )
