"""Table for `looks.csv`: decisions at each planned look, from a study's extensions and votes."""

from __future__ import annotations

import pandas as pd

from study_app.analysis.looks import looks_table
from study_app.store.study import OpenStudy


def planned_looks(study: OpenStudy, votes: pd.DataFrame) -> pd.DataFrame:
    """Decisions at each planned look; a `BenchError` if the study has more votes or looks than planned."""
    extensions, slots = study.extensions(), len(study.schedule().slots)
    had = [extension.slots_before for extension in extensions] + [slots]
    fractions = [count / (study.settings.looks * had[0]) for count in had]
    ends = [extension.made_at for extension in extensions]
    settings = study.settings
    return looks_table(votes, settings.comparisons, ends, fractions, settings.looks, settings.boundary)
