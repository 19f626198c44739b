"""Print the measured coverages and sizes, as Markdown: `python -m tests.coverage`, about ten minutes of one core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.metrics.frechet import frechet_distance
from tests.coverage import clips, people

VIDEOS = (2, 3, 5, 10, 26, 100)
#: How much trainings differ, where videos differ by 1.
SEED_SD = 0.5
#: Raters, videos, clips a video, votes a pair.
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
        "Equal rows: how often any is called worse than the best at 5 %, in % (1,000 repeats)",
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
                *(percent(clips.best(rows, videos, "equal", 1000)) for videos in (7, 10, 26)),
                *(percent(clips.best(rows, 26, shape, 1000)) for shape in ("unequal", "skewed")),
                percent(clips.best(rows, 10, "equal", 1000, old=True)),
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


def set_metrics() -> None:
    """Distances of sets by leaving out videos."""
    table(
        "Coverage of 95 % intervals of set metrics at their number of clips, in % (500 repeats)",
        ["", "10 videos", "26 videos"],
        (
            [name, *(percent(clips.sets(distance, videos, what, 500)[0]) for videos in (10, 26))]
            for name, distance, what in (
                ("kernel distance", clips.kernel_distance, "value"),
                ("paired difference of two", clips.kernel_distance, "difference"),
                ("Fréchet distance", frechet_distance, "value"),
                ("paired difference of two", frechet_distance, "difference"),
            )
        ),
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
        ["preference", "raters", "videos", "clips", "votes a pair", "covered", "p < 5 %", "*exact p < 5 %*"],
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
        "Bradley–Terry, four systems, 60 votes a comparison of 17 raters: coverage in % (500 repeats)",
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
        ["raters", "videos", "clips", "votes a pair", "found", "area, knowing", "covered, nothing", "covered, knowing"],
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


if __name__ == "__main__":
    for part in (intervals, samples, rows_tests, set_metrics, preferences, agreement):
        part()
