"""The landing page of a run's repository: a `README.md` generated from the run's tables and `run.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.tables.printed_table import to_markdown
from bench.report.tables.score_table import ScoreTable

#: Descriptions of a run's files by the start of their names.
_FILES = (
    ("report.html", "the HTML report: download and open it; it works offline"),
    ("results.json", "all numbers in one file, for `bench leaderboard`"),
    ("run.json", "configuration, command, commit, packages and device"),
    ("table", "the tables for a paper"),
    ("summary.csv", "one value per method and metric, with its 95 % interval"),
    ("scores/", "values of every clip, paired differences, the protocol"),
    ("figures/", "figures, PDF for print and PNG for the screen"),
    ("agreement/", "which metric predicts people"),
    (".eval_results/", "the numbers for the hub's leaderboards of a benchmark"),
    ("checkpoints/", "weights for `bench generate`, with their SHA-256"),
)
#: Charts that the card shows, with their captions.
_SHOWN = (
    ("figures/over_time.png", "Metrics over the frame number; bands are 95 % over source videos."),
    ("figures/distribution.png", "Metrics over clips; each dot is a clip."),
    ("figures/frames_1.png", "Frames 1, 8, 16, 24, 32 of a clip chosen by hash."),
    ("figures/training.png", "Losses, validation error and speed of training."),
    ("figures/pos.png", "What people chose."),
)


def card(
    table: ScoreTable, account: Mapping[str, Any], names: Sequence[str], held_back: Sequence[str], by: str = ""
) -> str:
    """The card as Markdown, with the header that Hugging Face reads.

    Args:
        table: table of the scores.
        account: content of `run.json`, without data that concern only the sender; empty for a folder of scored videos.
        names: names of the files next to the card.
        held_back: what was left out, and why.
        by: name of the sender; empty if not given.
    """
    weights = [name for name in names if name.startswith("checkpoints/") and name.endswith(".pt")]
    parts = [
        _header(bool(weights)),
        f"# Time-lapse videos from one first frame: {table.caption.rstrip('.')}\n",
        *([f"Results of {by}.\n"] if by else []),
        to_markdown(table.grid),
        *(f"![{text}]({name})\n\n*{text}*\n" for name, text in _SHOWN if name in names),
        *([_usage(weights[0])] if weights else []),
        _origin(account),
        "## Files\n",
        "| file | what it is |\n|---|---|\n" + "".join(_lines(names)),
        "## What is not here\n",
        "".join(f"- {text}\n" for text in held_back),
    ]
    return "\n".join(parts)


def _header(weights: bool) -> str:
    lines = ["tags:", "- timelapse-bench", "- time-lapse", "- video-generation"]
    if weights:
        lines.insert(0, "pipeline_tag: image-to-video")
    return "\n".join(["---", *lines, "---", ""])


def _usage(checkpoint: str) -> str:
    return (
        "## Use\n\nWith `timelapse-bench[train]` installed, on the synthetic dataset (or on yours, with "
        "`--data-root`):\n\n"
        f"```sh\nbench generate --checkpoint {checkpoint} --out videos\n```\n"
    )


def _origin(account: Mapping[str, Any]) -> str:
    """How the run was made; empty for scored videos, whose origin is unknown."""
    if not account.get("command"):
        return ""
    made = account.get("provenance", {})
    facts = {"timelapse-bench": made.get("bench"), "commit": made.get("commit"), "on": made.get("device")}
    versions = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"## The same run again\n\n```sh\n{account['command']}\n```\n" + (
        f"\nMade with {versions}.\n" if versions else ""
    )


def _lines(names: Sequence[str]) -> list[str]:
    """One table line for each kind of file that exists."""
    present = [(start, text) for start, text in _FILES if any(name.startswith(start) for name in names)]
    return [f"| `{start}{'.*' if start == 'table' else ''}` | {text} |\n" for start, text in present]
