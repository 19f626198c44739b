"""The paths in a run folder, whose names are defined only here; `results/README.md` describes them for users.

A folder of `bench score` is the same without the parts that only a run has (account, clips, checkpoints,
predictions).
"""

from __future__ import annotations

from pathlib import Path

#: Prefix of the names of unfinished files, in run folders and elsewhere; a killed process may leave some.
PART = ".part-"
#: The row under which a run keeps the real test clips, for figures, reports and studies.
REAL = "real"
#: A finished model's checkpoint and the log next to it, in the folder of the training run.
MODEL, LOG = "model.pt", "training.csv"
#: Record of where the steps of a training run were computed, in the same folder.
SESSIONS = "sessions.json"
#: The description of a folder of predictions.
MANIFEST = "manifest.json"
#: Files that `bench study export` writes into a study's folder.
STUDY_RESULTS, VOTES, POS = "study.json", "votes.csv", "pos.csv"


class RunFolder:
    """Paths in a run folder; the caller checks whether they exist.

    Args:
        path: the folder.
        first_seed: the run's first seed, whose predictions are named by the row alone.
    """

    def __init__(self, path: str | Path, first_seed: int = 0) -> None:
        self.path = Path(path)
        self.first_seed = first_seed
        #: Configuration, protocol, provenance and the state of each step.
        self.account = self.path / "run.json"
        self.lock = self.path / "run.lock"
        #: The clips that the run uses, with their hashes.
        self.clips = self.path / "clips.jsonl"
        self.summary = self.path / "summary.csv"
        self.scores = self.path / "scores"
        self.scores_lock = self.path / "score.lock"
        self.per_frame = self.scores / "per_frame.csv"
        self.per_clip = self.scores / "per_clip.csv"
        self.differences = self.scores / "differences.csv"
        #: Mean, best of k, spread and pooled sets, if a method has several samples per clip.
        self.samples = self.scores / "samples.csv"
        self.notes = self.scores / "notes.json"
        #: Metrics of whole sets over time, if requested.
        self.horizon = self.scores / "horizon.csv"
        self.protocol = self.scores / "protocol.json"
        #: Command and sessions of `bench score`; those of `bench run` are in `account`.
        self.scored_by = self.scores / "provenance.json"
        #: Computed values by content, from which an interrupted scoring resumes.
        self.journal = self.scores / "journal.jsonl"
        self.figures = self.path / "figures"
        self.page = self.path / "report.html"
        self.all_predictions = self.path / "predictions"
        self.all_checkpoints = self.path / "checkpoints"
        self.all_parts = self.path / "parts"
        #: The expected location of a study's results.
        self.study = self.path / "study"
        #: The table that `bench agree` writes, with its figure in the same folder.
        self.agreement = self.path / "agreement" / "agree.json"

    def predictions(self, row: str, seed: int | None = None) -> Path:
        """Folder of a row's predictions: `<row>` for the run's first seed, `<row>@<seed>` for other seeds.

        >>> RunFolder("results/sky", first_seed=0).predictions("vgan", 1).as_posix()
        'results/sky/predictions/vgan@1'
        """
        name = row if seed in (None, self.first_seed) else f"{row}@{seed}"
        return self.all_predictions / name

    def checkpoint(self, model: str, seed: int) -> Path:
        """Folder of a training run: checkpoints, log, TensorBoard files."""
        return self.all_checkpoints / f"{model}-{seed}"

    def parts(self, model: str) -> Path:
        """Folder of the parts of a model's videos."""
        return self.all_parts / model

    def trainings(self) -> dict[str, Path]:
        """Existing logs of training runs, by folder name."""
        return {log.parent.name: log for log in sorted(self.all_checkpoints.glob(f"*/{LOG}"))}

    def strangers(self, *expected: Path) -> list[Path]:
        """Paths in the folder other than locks, unfinished files and `expected` paths."""
        if not self.path.is_dir():
            return []
        usual = {self.lock, self.scores_lock, *expected}
        return [path for path in self.path.iterdir() if path not in usual and not path.name.startswith(PART)]
