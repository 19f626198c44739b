"""Print the measured coverages and sizes, as Markdown: `python -m tests.coverage`, about half an hour of one core.

`python -m tests.coverage marks set_metrics` prints those tables alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from bench.metrics import neighbours
from bench.metrics.jedi import jedi_mmd
from bench.metrics.kvd import KVD
from tests.coverage import clips, people, sets, studies, tables

VIDEOS = (2, 3, 5, 10, 26, 100)
#: How much trainings differ, where videos differ by 1.
SEED_SD = 0.5
#: The same where training runs differ much.
FAR_APART = 2.0
#: Raters, videos, clips a video, votes per pair.
LAYOUTS = ((28, 100, 1, 1), (28, 20, 5, 1), (28, 20, 5, 2), (28, 20, 5, 3), (28, 20, 5, 5), (10, 10, 4, 3))
EVEN, ONE_WINS = (1.2, 0.4, -0.4, -1.2), (3.6, -0.8, -1.2, -1.6)


def percent(share: float) -> str:
    """A share in print."""
    return f"{100 * share:.1f}"


def table(title: str, heads: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, a row as soon as it is known."""
    print(f"\n**{title}**\n\n| {' | '.join(map(str, heads))} |\n|---{'|---:' * (len(heads) - 1)}|", flush=True)
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def intervals() -> None:
    """Means over clips, over videos and over trainings."""

    def lines() -> Iterable[Sequence[object]]:
        for shape in clips.SHAPES:
            yield [f"one training, {shape}", *(percent(clips.interval(v, shape, 2000)) for v in VIDEOS)]
        for shape in clips.SHAPES:
            covered = (clips.seeds_interval(v, shape, 3, SEED_SD, 2000) for v in VIDEOS)
            yield [f"three trainings, {shape}", *map(percent, covered)]
        covered = (clips.seeds_interval(v, "equal", 3, SEED_SD, 1000, old=True) for v in VIDEOS)
        yield ["*their mean, over videos alone*", *map(percent, covered)]
        for shape in ("equal", "unequal", "skewed", "log-normal"):
            covered = (clips.interval(v, shape, 600, studentized=True) for v in VIDEOS[2:])
            yield [f"*bootstrap-t, {shape} (600 repeats)*", "", "", *map(percent, covered)]
        yield ["one training, log-normal", *(percent(clips.interval(v, "log-normal", 2000)) for v in VIDEOS)]
        yield [
            "*bootstrap, one training, equal*",
            *(percent(clips.interval(v, "equal", 1000, old=True)) for v in VIDEOS),
        ]

    table(
        "Coverage of 95 % intervals of a mean over clips, in %, by source videos (2,000 repeats)",
        ["", *VIDEOS],
        lines(),
    )


def samples() -> None:
    """The expected best of k of several samples a clip."""
    table(
        "Coverage of 95 % intervals of best@k of 10 samples a clip, in %, by source videos (2,000 repeats)",
        ["", *VIDEOS],
        [
            *(
                [f"best@{k}", *(percent(clips.sampled_interval(videos, 10, k, 2000)) for videos in VIDEOS)]
                for k in (1, 5, 10)
            ),
            ["*best@5, clips as videos*", *(percent(clips.sampled_interval(v, 10, 5, 1000, old=True)) for v in VIDEOS)],
        ],
    )


def rows_tests() -> None:
    """Tests of rows that do not differ."""
    table(
        "Equal rows: how often any is called worse than the best at 5 %, in % (500 repeats)",
        [
            "rows",
            "7 videos",
            "10 videos",
            "26 videos",
            "26, unequal",
            "26, skewed",
            "*pairs with the best and Holm, 10*",
        ],
        (
            [
                rows,
                *(percent(clips.best(rows, videos, "equal", 500, draws=500)) for videos in (7, 10, 26)),
                *(percent(clips.best(rows, 26, shape, 500, draws=500)) for shape in ("unequal", "skewed")),
                percent(clips.best(rows, 10, "equal", 500, old=True)),
            ]
            for rows in (2, 5, 8, 12)
        ),
    )
    table(
        "Two equal models of three trainings each: how often they are called different at 5 %, in % (2,000 repeats)",
        ["trainings differ by", "5 videos", "26 videos", "100 videos", "*26, sign flips of the trainings' means*"],
        (
            [
                spread,
                *(percent(clips.seeds_difference(videos, 3, spread, 2000)) for videos in (5, 26, 100)),
                percent(clips.seeds_difference(26, 3, spread, 500, old=True)),
            ]
            for spread in (0.0, 0.3, 1.0)
        ),
    )
    table(
        "Rows that differ by just the margin: how often they are called equivalent at 5 %, in % (2,000 repeats)",
        ["", *VIDEOS],
        ([shape, *(percent(clips.equivalent(videos, shape, 2000)) for videos in VIDEOS)] for shape in clips.SHAPES),
    )


def marks() -> None:
    """Marks of a table where it is hard to have them right."""
    table(
        "A method that is better on each of 8 videos, where one clip of the other is identical, in % (500 repeats)",
        ["training runs", "better by (dB)", "the better one is first", "the better one gets a mark"],
        (
            [runs, gap, percent(found.best), percent(found.wrong)]
            for runs, gap in ((1, 5.9), (3, 2.7))
            for found in [tables.identical_clip(runs, gap, 500)]
        ),
    )
    table(
        "Two methods of equal means, of which one fails on a tenth of the videos, in % (2,000 repeats)",
        [
            "videos",
            "told apart at 5 %",
            "of all, one video reverses the verdict",
            "equivalent, where they differ by the margin",
        ],
        (
            [videos, percent(found.told_apart), percent(found.turned), percent(found.equivalent)]
            for videos in (5, 8, 10, 26, 100)
            for found in [tables.one_fails(videos, 2000)]
        ),
    )
    table(
        "Equal methods of which one fails on each video: how often any is called worse, in % (1,000 repeats)",
        ["methods", "9 videos", "26 videos"],
        (
            [
                f"{rows}, and {worse} that are worse by far" if worse else rows,
                *(percent(tables.one_of_many_fails(rows, videos, 0.02, 1000, worse=worse)) for videos in (9, 26)),
            ]
            for rows, worse in ((3, 0), (4, 0), (8, 0), (3, 2))
        ),
    )
    table(
        "Equal methods of few training runs, which differ by four times what videos do, 26 videos, in %",
        ["", "at 5 %"],
        (
            [name, percent(value)]
            for name, value in (
                ("2 runs, coverage of the mean (2,000 repeats)", clips.seeds_interval(26, "equal", 2, FAR_APART, 2000)),
                ("2 against 2 runs, told apart (2,000)", tables.few_runs((2, 2), 26, (FAR_APART, FAR_APART), 2000)),
                ("2 against 5 runs, told apart (2,000)", tables.few_runs((2, 5), 26, (FAR_APART, FAR_APART), 2000)),
                ("the same, those 5 four times as alike", tables.few_runs((2, 5), 26, (FAR_APART, SEED_SD), 2000)),
                ("3 against 3 runs, told apart (2,000)", tables.few_runs((3, 3), 26, (FAR_APART, FAR_APART), 2000)),
                ("8 methods of 2 runs, any mark (1,000)", tables.few_runs_of_many(8, 2, 26, FAR_APART, 1000)),
                ("8 methods of 3 runs, any mark (1,000)", tables.few_runs_of_many(8, 3, 26, FAR_APART, 1000)),
            )
        ),
    )
    table(
        "Four equal methods by several metrics (correlation one half), 12 videos: how often any mark appears, in % "
        "(1,000 repeats)",
        ["metrics", "each at 5 %", "Holm over metrics"],
        ([count, *map(percent, tables.several_metrics(4, count, 12, 1000))] for count in (1, 4, 8)),
    )


def set_metrics() -> None:
    """Distances of sets by leaving out videos."""
    table(
        "KVD of two sets of one distribution, of 4 clips a video: mean ± standard error (2,000 repeats)",
        ["videos", "over pairs of different videos", "*over all pairs but a clip's own, as version 1*"],
        (
            [videos, *(f"{mean:+.4f} ± {error:.4f}" for mean, error in both)]
            for videos in (4, 10, 26)
            if (both := [sets.no_distance(videos, 4, 2000, old=old) for old in (False, True)])
        ),
    )

    def lines() -> Iterable[Sequence[object]]:
        for name, coverage, repeats in (("KVD", sets.kernel_coverage, 1000), ("FVD", sets.frechet_coverage, 400)):
            for world in sets.WORLDS:
                found = [coverage(videos, world, repeats) for videos in (10, 26)]
                yield [f"{name}, {world}", *(percent(one) for of in found for one in (of.value, of.difference))]

    table(
        "Coverage of 95 % intervals of KVD (of the distance of the distributions) and FVD (of its mean at this number "
        "of clips), in % (1,000 and 400 repeats)",
        ["", "10 videos", "10, difference of two", "26 videos", "26, difference of two"],
        lines(),
    )
    measures = {"JEDi": jedi_mmd, "precision": neighbours.precision, "recall": neighbours.recall}
    measures |= {"density": neighbours.density, "coverage": neighbours.coverage}
    table(
        "Coverage of 95 % intervals of other metrics of features (of their means at this number of clips), in % (200 "
        "repeats)",
        ["", "10 videos", "10, difference of two", "26 videos", "26, difference of two"],
        (
            [name, *(percent(one) for of in found for one in (of.value, of.difference))]
            for name, measure in measures.items()
            for found in [[sets.distance_coverage(measure, videos, "equal", 200, draws=400) for videos in (10, 26)]]
        ),
    )
    table(
        "A method that is worse than real clips: how often its FVD is below that of real vs. real, in % (200 repeats)",
        ["videos of 4 clips", "*at all its clips*", "at the clips of real vs. real"],
        ([videos, *map(percent, sets.nearer_than_real(videos, 200))] for videos in (8, 20)),
    )


def unpaired() -> None:
    """Distances of sets that are not paired, by leaving out videos of both sides."""

    def lines() -> Iterable[Sequence[object]]:
        for name, metric in (("KVD", KVD()), ("FVD", sets.Features())):
            for real, windows, generated in ((10, 1, 15), (10, 4, 40), (40, 1, 60)):
                found = sets.unpaired_coverage(metric, real, windows, generated, 200)
                shares = map(percent, (found.value, found.difference, found.real_alone))
                yield [name, real, real * windows, generated, *shares]

    table(
        "Sets that are not paired: coverage of 95 % intervals of KVD (of the distance of the distributions) and FVD "
        "(of its mean at these numbers), in % (200 repeats)",
        ["", "real videos", "real clips", "generated", "covered", "difference of two", "*real videos alone*"],
        lines(),
    )


def preferences() -> None:
    """Preference scores and Bradley–Terry strengths."""

    def shares() -> Iterable[Sequence[object]]:
        for preference in (0.5, 0.7, 0.9):
            for raters, videos, per, votes in LAYOUTS:
                found = people.pos(people.World(raters, videos, per, votes, preference), 5000)
                sizes = [percent(found.rejected), percent(found.exact)] if preference == 0.5 else ["", ""]
                yield [preference, raters, videos, videos * per, votes, percent(found.covered), *sizes]

    table(
        "Preference scores: coverage of the 95 % interval, and at 0.5 how often p < 5 %, in % (5,000 repeats)",
        ["preference", "raters", "videos", "clips", "votes per pair", "covered", "p < 5 %", "*exact p < 5 %*"],
        shares(),
    )

    def strengths() -> Iterable[Sequence[object]]:
        for truth, alike in ((EVEN, 0.0), (EVEN, 0.4), (ONE_WINS, 0.0)):
            found = people.bradley_terry(truth, alike, 500)
            hits = [percent(value) for value in found["hit"]]
            yield [
                ", ".join(f"{one:g}" for one in truth),
                f"{100 * alike:.0f} %",
                *hits,
                percent(found.loc["a", "bound"]),
            ]

    table(
        "Bradley–Terry, four methods, 60 votes per comparison of 17 raters: coverage in % (500 repeats)",
        ["strengths", "a rater's votes alike", *(f"system {name}" for name in people.SYSTEMS), "a won all"],
        strengths(),
    )


def agreement() -> None:
    """Metrics beside people, sides, raters beside each other."""
    worlds = [
        people.World(raters, videos, per, votes)
        for raters, videos, per in ((20, 20, 5), (20, 10, 10), (30, 60, 1))
        for votes in (1, 3)
    ]

    def beside() -> Iterable[Sequence[object]]:
        for world in worlds:
            nothing, something = (people.metric_beside_people(world, 1000, knows) for knows in (0.0, 2.0))
            sizes = [world.raters, world.videos, world.videos * world.clips, world.votes]
            covered = [percent(one.covered) for one in (nothing, something)]
            yield [*sizes, percent(nothing.found), f"{something.area:.2f}", *covered]

    table(
        "Metrics that know systems, and of clips nothing or something: agreement within comparisons found at 5 % where "
        "there is none, and coverage of the area under the curve, in % (1,000 repeats)",
        [
            "raters",
            "videos",
            "clips",
            "votes per pair",
            "found",
            "area, knowing",
            "covered, nothing",
            "covered, knowing",
        ],
        beside(),
    )

    def sides() -> Iterable[Sequence[object]]:
        for raters, lean in ((8, 0.3), (16, 0.3), (16, 0.5), (40, 0.5)):
            over_raters, over_votes = people.side_bias(raters, 40, lean, 5000)
            yield [raters, lean, percent(over_raters), percent(over_votes)]

    table(
        "Raters who each lean to a side of their own: how often a side in common is found at 5 %, in % (5,000 repeats)",
        ["raters of 40 votes", "lean (log odds)", "over raters", "*over votes*"],
        sides(),
    )
    found = [people.chance_alpha(8, 100, 3, seed) for seed in range(40)]
    print(
        f"\nKrippendorff's α over eight comparisons of coin flips, 40 studies of 2,400 votes: mean "
        f"{sum(found) / len(found):+.3f}, from {min(found):+.3f} to {max(found):+.3f}."
    )


def in_harder_worlds() -> None:
    """Studies of few raters, drop-out, sessions of unequal length, several looks."""
    studies.tables(table)


if __name__ == "__main__":
    of_scores = (intervals, samples, rows_tests, marks, set_metrics, unpaired)
    for part in (*of_scores, preferences, agreement, in_harder_worlds):
        if len(sys.argv) == 1 or part.__name__ in sys.argv[1:]:
            part()
