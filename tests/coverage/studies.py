"""Print what studies claim in harder worlds: few raters of fixed taste, drop-out, sessions of unequal length, looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.design.power import Design, simulated_power
from study_app.design.settings import LOOK_SHAPES, SIDES
from study_app.design.trial_order import turns
from tests.coverage import drop_out, fixed_taste, grades, looks, paired_votes
from tests.coverage.people import World

Table = Callable[[str, Sequence[object], Iterable[Sequence[object]]], None]
SESSIONS, TRIALS = 2000, 50


def percent(share: float, repeats: int) -> str:
    """A share in print, with its standard error."""
    return f"{100 * share:.1f} ± {100 * (share * (1 - share) / repeats) ** 0.5:.1f}"


def tables(table: Table) -> None:
    """All of them."""
    for part in (few_raters, stays, predicted, sides, planned, equivalent, graded, sessions):
        part(table)


def few_raters(table: Table) -> None:
    """Raters of fixed taste."""

    def lines() -> Iterable[Sequence[object]]:
        for raters in fixed_taste.RATERS:
            yield [
                raters,
                *(percent(fixed_taste.pos(raters, 20, slips, 4000)[0], 4000) for slips in (0.0, 0.02, 0.1)),
                *(percent(fixed_taste.strengths(raters, 20, slips, 200), 200) for slips in (0.0, 0.02)),
                percent(float(fixed_taste.unequal(raters, 1000)["covered"].mean()), 1000),
            ]

    table(
        "Raters of fixed taste, truth 50: coverage of a POS, and how often two equal strengths differ at 5 %, in %",
        [
            "raters",
            "POS, no slips",
            "2 % slips",
            "10 % slips",
            "strengths, none",
            "2 % slips",
            "POS, sessions of 1 to 60, 10 % slips",
        ],
        lines(),
    )


def stays(table: Table) -> None:
    """Raters who stay for what they like."""

    def lines() -> Iterable[Sequence[object]]:
        for raters in (8, 20, 40):
            found, n = drop_out.by_taste(2000, raters), 2000
            yield [
                raters,
                f"{found.pos:.3f}",
                percent(found.pos_rejected, n),
                f"{found.each:.3f}",
                percent(found.each_rejected, n),
            ]

    table(
        "Raters who leave the sooner the less they like the first, truth 0.5: estimate, and how often p < 5 %, in %",
        ["raters", "POS", "its p < 5 %", "each rater once", "its p < 5 %"],
        lines(),
    )


def predicted(table: Table) -> None:
    """What anything could predict, and alpha."""

    def lines() -> Iterable[Sequence[object]]:
        for panel in paired_votes.PANELS:
            covered = [percent(share, 400) for share in paired_votes.covered(panel, 400)]
            unequal = "unequal" if panel.unequal else "equal"
            yield [panel.raters, panel.clips, panel.votes, panel.clip_sd, panel.rater_sd, unequal, *covered]

    table(
        "What anything could predict: how often it lies between the two estimates, and in the interval; and coverage "
        "of Krippendorff's α, in %",
        ["raters", "clips", "votes per pair", "clips differ", "raters differ", "sessions", "between", "interval", "α"],
        lines(),
    )


def sides(table: Table) -> None:
    """How often somebody who counts sides knows the next one."""

    def lines() -> Iterable[Sequence[object]]:
        for kind in SIDES:
            drawn = np.array(
                [[turn.first_on_left for turn in turns(1, rater, TRIALS, 7, kind)] for rater in range(SESSIONS)]
            )
            steps = np.where(drawn, 1, -1)
            tilt = np.cumsum(steps, axis=1) - steps
            right = np.where(tilt == 0, 0.5, np.sign(tilt) != steps)
            parts = right, right[:, -10:], right[:, -1:]
            yield [kind, *(percent(float(part.mean()), part.size) for part in parts)]

    table(
        f"Sides: how often the rarer side so far comes next, in % ({SESSIONS:,} sessions of {TRIALS})",
        ["design", "all trials", "last ten", "the very last"],
        lines(),
    )


def planned(table: Table) -> None:
    """Five looks."""

    def lines() -> Iterable[Sequence[object]]:
        for shape in LOOK_SHAPES:
            adjusted, plain = looks.size(2000, shape)
            yield [shape, percent(adjusted, 2000), percent(plain, 2000)]

    table(
        "Five looks at a study without a difference, raters leaving: how often any finds one, in %",
        ["bounds", "at planned levels", "*at 5 % each*"],
        lines(),
    )


def equivalent(table: Table) -> None:
    """A POS at the margin."""

    def lines() -> Iterable[Sequence[object]]:
        for raters, videos, per, votes in ((28, 100, 1, 1), (28, 20, 5, 2), (10, 10, 4, 3), (4, 40, 1, 3)):
            world = World(raters, videos, per, votes, 0.6)
            _, video, rater = world.layout()
            found = shares(world.wins(4000), Crossing.of(rater, video))
            shown = float(np.mean(np.maximum(found.above(0.4), found.below(0.6)) < 0.05))
            yield [raters, videos, videos * per, votes, percent(shown, 4000)]

    table(
        "A POS of 60 with a margin of 10: how often it is called equivalent at 5 %, in %",
        ["raters", "videos", "clips", "votes per pair", "called equivalent"],
        lines(),
    )


def graded(table: Table) -> None:
    """Mean grades near an end."""

    def lines() -> Iterable[Sequence[object]]:
        for raters, videos in ((6, 10), (12, 20), (24, 40)):
            for _, line in grades.table(raters, videos).iterrows():
                ends = [percent(float(line[name]), 1000) for name in ("ours", "symmetric")]
                yield [raters, videos, f"{line['mean']:.2f}", *ends]

    table(
        "Mean grades, a third of the raters leaving: coverage of 95 % intervals, in %",
        ["raters", "videos", "true mean", "ours", "*symmetric in grades*"],
        lines(),
    )


def sessions(table: Table) -> None:
    """Power where sessions differ in length."""

    def lines() -> Iterable[Sequence[object]]:
        for unequal, left in ((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.0, 0.3), (1.0, 0.3)):
            design = Design(7, 30, 470, 1, 0.6, 470, unequal=unequal, drop_out=left)
            yield [unequal, left, percent(simulated_power(design).corrected, 2000)]

    table(
        "Power of 470 votes per comparison by 30 raters for a preference of 0.6, after Holm over seven, in %",
        ["sessions differ by", "leave early", "power"],
        lines(),
    )
