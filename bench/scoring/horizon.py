"""Metrics of whole sets over time, as curves with bands: over the first N frames, or over windows of N frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from bench.metrics.base import Unavailable
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine, read_csv, write_csv
from bench.scoring.scoring_plan import ScoringPlan

COLUMNS = ("curve", "metric", "row", "first", "last", "value", "ci_low", "ci_high", "clips", "protocol")
#: Scores part of the frames; returns lines of the metrics of whole sets, and why some have none.
ScorePart = Callable[[Protocol], tuple[list[SummaryLine], Mapping[str, Unavailable]]]


@dataclass(frozen=True)
class Part:
    """Scored frames `first` to `last`, counted from 1, as a point of a curve.

    Attributes:
        curve: "horizon" if all points of the curve start at the first frame, or "windows".
        first, last: numbers of scored frames.
    """

    curve: str
    first: int
    last: int


@dataclass(frozen=True)
class PartScore:
    """A point of a curve: a number with its 95 % interval."""

    metric: str
    row: str
    part: Part
    value: float
    low: float
    high: float


def parts_of(plan: ScoringPlan) -> list[Part]:
    """The parts of the scored frames that a plan requests.

    Raises:
        BenchError: a part exceeds the scored frames.
    """
    scored = plan.scored_frames
    if too_long := [last for last in plan.horizon if last > scored]:
        raise BenchError(f"--horizon {too_long[0]} exceeds the {scored} scored frames: give numbers up to {scored}.")
    parts = [Part("horizon", 1, last) for last in sorted(set(plan.horizon))]
    if plan.windows:
        length, step = plan.windows
        if length > scored:
            raise BenchError(
                f"--windows of {length} frames are longer than the {scored} scored frames. Give a smaller length."
            )
        parts += [Part("windows", first, first + length - 1) for first in range(1, scored - length + 2, step)]
    return parts


def write_horizon(out: Path, plan: ScoringPlan, protocol: Protocol, score_part: ScorePart) -> list[str]:
    """Score every part and write `scores/horizon.csv`; without parts, remove an earlier file.

    Args:
        out: folder of the results.
        plan: plan with the parts.
        protocol: protocol of the whole clips.
        score_part: scores one part, given the part's protocol.

    Returns:
        Notes on parts that have no number.
    """
    path, rows, notes = RunFolder(out).horizon, [], []
    parts = parts_of(plan)
    if not parts:
        path.unlink(missing_ok=True)
        return []
    for part in parts:
        choices = replace(protocol.choices, part=f"{part.first}-{part.last}")
        lines, unfit = score_part(replace(protocol, choices=choices))
        notes += [f"Frames {part.first} to {part.last}: {reason}." for reason in unfit.values()]
        rows += [
            (
                *(part.curve, line.metric, line.row, part.first, part.last),
                *(line.value, line.ci_low, line.ci_high, line.clips, line.protocol),
            )
            for line in lines
        ]
    write_csv(path, COLUMNS, rows)
    return notes


def read_horizon(out: Path) -> list[PartScore]:
    """The points of a folder's curves; empty if it has no curves."""
    if not (path := RunFolder(out).horizon).exists():
        return []
    return [
        PartScore(
            line["metric"],
            line["row"],
            Part(line["curve"], int(line["first"]), int(line["last"])),
            *(float(line[key]) for key in ("value", "ci_low", "ci_high")),
        )
        for line in read_csv(path)
    ]


def horizon_of(text: str) -> tuple[int, ...]:
    """Parse a text such as "10,16,24,32".

    Raises:
        BenchError: the text has another form.
    """
    try:
        numbers = tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        numbers = (0,)
    if any(number < 1 for number in numbers):
        raise BenchError(f"--horizon is '{text}': expected numbers of frames, as in 10,16,24,32.")
    return numbers


def windows_of(text: str) -> tuple[int, int] | None:
    """Parse a text such as "16:8": windows of 16 frames that begin every 8 frames; None for an empty text.

    Raises:
        BenchError: the text has another form.
    """
    if not text:
        return None
    words: Sequence[str] = text.split(":")
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise BenchError(f"--windows is '{text}': expected LENGTH:STEP, as in 16:8.")
    return int(words[0]), int(words[1])
