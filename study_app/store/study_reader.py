"""Read access to a study, for the people who run it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.errors import BenchError
from study_app.design.questions import SCALE
from study_app.design.schedule import Schedule
from study_app.design.settings import StudySettings
from study_app.store import audit_trail, clips, monitor, questionnaire, schedule_rows, tidy_tables
from study_app.store.connection.transactions import Transactions
from study_app.store.schema.study_tables import Study


class StudyReader:
    """Read access to a study; `study_app.store.study.OpenStudy` adds everything that changes it.

    Attributes:
        row: the study's database record, which never changes: name, seed, settings, whether it is simulated.
    """

    def __init__(self, transactions: Transactions, row: Study) -> None:
        self.row = row
        self._transactions = transactions

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.row.name

    @property
    def settings(self) -> StudySettings:
        """Settings that the study was created with."""
        return self.row.settings

    @property
    def simulated(self) -> bool:
        """Whether its raters are synthetic."""
        return self.row.simulated

    def schedule(self) -> Schedule:
        """The schedule as stored in the database."""
        return self._transactions.read(lambda s: schedule_rows.read_schedule(s, self.row))

    def clips(self) -> clips.Clips:
        """Every encoded clip, by (system, scene)."""
        return self._transactions.read(lambda s: clips.read_clips(s, self.row))

    def votes(self, question: str | None = None) -> pd.DataFrame:
        """All votes as `tidy_tables.VOTE_COLUMNS`, on the first question of each trial or on a further one.

        Raises:
            BenchError: the study has grades, which must not be mistaken for votes.
        """
        if self.settings.questions.kind == SCALE:
            raise BenchError(f"The study '{self.name}' is a study of single clips, so it has grades and no votes.")
        return self._transactions.read(lambda s: tidy_tables.votes(s, self.row, question))

    def ratings(self, question: str | None = None) -> pd.DataFrame:
        """All grades of a study of single clips, as `tidy_tables.RATING_COLUMNS`; a `BenchError` for other studies."""
        if self.settings.questions.kind != SCALE:
            raise BenchError(f"The study '{self.name}' is a study of pairs, so it has votes and no grades.")
        return self._transactions.read(lambda s: tidy_tables.ratings(s, self.row, question))

    def answers(self) -> pd.DataFrame:
        """Answers to the questions before and after the trials, as `questionnaire.ANSWER_COLUMNS`."""
        return self._transactions.read(lambda s: questionnaire.answers(s, self.row))

    def screens(self) -> pd.DataFrame:
        """How the clips of each vote were seen, as `tidy_tables.SCREEN_COLUMNS`."""
        return self._transactions.read(lambda s: tidy_tables.screens(s, self.row))

    def progress(self) -> pd.DataFrame:
        """Votes wanted and received, by comparison."""
        return self._transactions.read(lambda s: tidy_tables.progress(s, self.row))

    def clip_hashes(self) -> list[tuple[str, str, str, str]]:
        """System, scene, source hash and shown-clip hash of every clip."""
        return self._transactions.read(lambda s: clips.clip_hashes(s, self.row))

    def kept_settings(self) -> dict[str, Any]:
        """The settings as written when the study was created, without what later versions have added."""
        return self._transactions.read(lambda s: schedule_rows.kept_settings(s, self.row))

    def registered(self) -> tuple[str, ...]:
        """Registered hashes: from the creation of the study, and from each addition."""
        return self._transactions.read(lambda s: audit_trail.registered(s, self.row))

    def watch(self) -> monitor.Watch:
        """Current status of the study, without outcomes."""
        return self._transactions.read(lambda s: monitor.watch(s, self.row))

    def raters(self) -> pd.DataFrame:
        """One row per rater."""
        return self._transactions.read(lambda s: tidy_tables.raters(s, self.row))
