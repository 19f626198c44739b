"""What lies where in a run folder: nobody else spells one of its names. `results/README.md` describes them to people.

A folder of `bench score` is the same without what only a run has (account, clips, checkpoints, predictions).
"""

from __future__ import annotations

from pathlib import Path

#: How the names of unfinished files begin, in a run folder and everywhere; a killed process may leave some.
PART = ".part-"
#: The row under which a run keeps the real test clips, for figures, reports and studies.
REAL = "real"
#: A finished model's checkpoint, in the folder of its training; and the log beside it.
MODEL, LOG = "model.pt", "training.csv"
#: Where the steps of a training run were computed; in its folder too.
SESSIONS = "sessions.json"
#: What a folder of predictions says of itself.
MANIFEST = "manifest.json"
#: What `bench study export` writes into a study's folder.
STUDY_RESULTS, VOTES, POS = "study.json", "votes.csv", "pos.csv"


class RunFolder:
    """Places in a run folder; whether anything lies there is for the caller to see.

    Args:
        path: the folder.
        first_seed: of the run's seeds the first, whose predictions carry the row's name alone.
    """

    def __init__(self, path: str | Path, first_seed: int = 0) -> None:
        self.path = Path(path)
        self.first_seed = first_seed
        #: Configuration, protocol, provenance and the state of each step.
        self.account = self.path / "run.json"
        self.lock = self.path / "run.lock"
        #: The clips that the run sees, with their hashes.
        self.clips = self.path / "clips.jsonl"
        self.summary = self.path / "summary.csv"
        self.scores = self.path / "scores"
        self.scores_lock = self.path / "score.lock"
        self.per_frame = self.scores / "per_frame.csv"
        self.per_clip = self.scores / "per_clip.csv"
        self.differences = self.scores / "differences.csv"
        #: Means, bests of k, spread and pooled sets where a method has several samples of each clip.
        self.samples = self.scores / "samples.csv"
        self.notes = self.scores / "notes.json"
        #: Metrics of whole sets over time, where they were asked for.
        self.horizon = self.scores / "horizon.csv"
        self.protocol = self.scores / "protocol.json"
        #: Command and sessions of `bench score`; those of `bench run` are in `account`.
        self.scored_by = self.scores / "provenance.json"
        #: Computed values by content, from which a killed scoring continues.
        self.journal = self.scores / "journal.jsonl"
        self.figures = self.path / "figures"
        self.page = self.path / "report.html"
        self.all_predictions = self.path / "predictions"
        self.all_checkpoints = self.path / "checkpoints"
        self.all_parts = self.path / "parts"
        #: Where a study's results are looked for.
        self.study = self.path / "study"
        #: Where `bench agree` leaves its table; its figure lies beside it.
        self.agreement = self.path / "agreement" / "agree.json"

    def predictions(self, row: str, seed: int | None = None) -> Path:
        """Folder of a row's predictions: `<row>` for the run's first seed, `<row>@<seed>` for a further one.

        >>> RunFolder("results/sky", first_seed=0).predictions("vgan", 1).as_posix()
        'results/sky/predictions/vgan@1'
        """
        name = row if seed in (None, self.first_seed) else f"{row}@{seed}"
        return self.all_predictions / name

    def checkpoint(self, model: str, seed: int) -> Path:
        """Folder of a training run: checkpoints, log, TensorBoard's files."""
        return self.all_checkpoints / f"{model}-{seed}"

    def parts(self, model: str) -> Path:
        """Folder of what a model's videos are made of."""
        return self.all_parts / model

    def trainings(self) -> dict[str, Path]:
        """Logs of the training runs that have one, by the name of their folder."""
        return {log.parent.name: log for log in sorted(self.all_checkpoints.glob(f"*/{LOG}"))}

    def strangers(self, *expected: Path) -> list[Path]:
        """What is in the folder beside locks, unfinished files and what is `expected`."""
        if not self.path.is_dir():
            return []
        usual = {self.lock, self.scores_lock, *expected}
        return [path for path in self.path.iterdir() if path not in usual and not path.name.startswith(PART)]
