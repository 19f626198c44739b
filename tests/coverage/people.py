"""Worlds of raters, clips and videos, for `study_app.analysis`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom, ttest_1samp

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis import ranking, rater_quality
from study_app.analysis.within_comparison_auc import within
from study_app.design.power import centre

Floats = NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True)
class World:
    """One comparison: raters, videos of several clips each, votes a pair; how raters, videos and clips lean."""

    raters: int
    videos: int
    clips: int
    votes: int
    preference: float = 0.5
    rater_sd: float = 0.4
    video_sd: float = 0.6
    clip_sd: float = 0.4

    def layout(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Clip, video and rater of each vote; `clips` a video."""
        clip = np.repeat(np.arange(self.videos * self.clips), self.votes)
        return clip, clip // self.clips, np.arange(len(clip)) % self.raters

    def wins(self, repeats: int, seed: int = 0) -> Floats:
        """[repeats, votes] 1 where the first was chosen."""
        rng = np.random.default_rng([seed, self.raters, self.videos, self.votes])
        clip, video, rater = self.layout()
        spread = float(np.sqrt(self.rater_sd**2 + self.video_sd**2 + self.clip_sd**2))
        odds = np.full((repeats, len(clip)), centre(self.preference, spread))
        for deviation, index in ((self.rater_sd, rater), (self.video_sd, video), (self.clip_sd, clip)):
            odds += deviation * rng.normal(size=(repeats, int(index.max()) + 1))[:, index]
        return np.asarray(rng.random(odds.shape) < expit(odds), np.float64)


@dataclass(frozen=True)
class Coverage:
    """Of a share: coverage of its interval, and how often p and the exact p are below 5 %."""

    covered: float
    rejected: float
    exact: float


def pos(world: World, repeats: int, seed: int = 0) -> Coverage:
    """The interval and test of a POS over raters and videos, and the exact test of independent votes."""
    wins = world.wins(repeats, seed)
    _, video, rater = world.layout()
    found = shares(wins, Crossing.of(rater, video))
    covered = (found.low <= world.preference) & (world.preference <= found.high)
    k, n = wins.sum(axis=1), wins.shape[1]
    exact = 2 * np.minimum(binom.cdf(k, n, 0.5), binom.sf(k - 1, n, 0.5))  # symmetric at one half
    return Coverage(*(float(np.mean(what)) for what in (covered, found.p_value < ALPHA, exact < ALPHA)))


def table_of_votes(first: list[str], second: list[str], clips: object, videos: object, raters: object) -> pd.DataFrame:
    """Votes, all for the first so far, with the columns that the analysis reads."""
    columns = {"first": first, "second": second, "clip": clips, "video": videos, "rater": raters}
    table = pd.DataFrame(columns).astype(str)
    table["comparison"] = table["first"] + " over " + table["second"]
    return table.assign(chosen=table["first"], catch=False, practice=False, excluded="", simulated=False)


SYSTEMS = ("a", "b", "c", "d")


def bradley_terry(strengths: tuple[float, ...], alike: float, repeats: int, seed: int = 0) -> pd.DataFrame:
    """Coverage of the strengths of four systems, by system; `alike`: share of votes that repeat their rater's own.

    60 votes a comparison of 17 raters. A share of the votes of a rater on a comparison are one and the same draw, which
    leaves the model's probabilities as they are.
    """
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for i, a in enumerate(SYSTEMS) for b in SYSTEMS[i + 1 :] for _ in range(60)]
    numbers = np.arange(len(pairs))
    votes = table_of_votes([a for a, _ in pairs], [b for _, b in pairs], numbers % 60, numbers % 60, numbers % 17)
    truth = pd.Series(strengths, SYSTEMS)
    share = expit(votes["first"].map(truth) - votes["second"].map(truth)).to_numpy()
    lines = []
    for _ in range(repeats):
        drawn = rng.random(len(votes))
        own = rng.random((17, 6))[numbers % 17, numbers // 60]
        drawn = np.where(rng.random(len(votes)) < alike, own, drawn)
        cast = votes.assign(chosen=np.where(drawn < share, votes["first"], votes["second"]))
        found = ranking.bradley_terry(cast).set_index("system").loc[list(SYSTEMS)]
        # strengths are measured from the mean of the systems that have both ends
        inner = np.isfinite(found[["ci_low", "ci_high"]]).all(axis=1)
        against = truth - truth[inner].mean()
        hit = (found["ci_low"] <= against) & (against <= found["ci_high"])
        lines.append(pd.DataFrame({"hit": hit, "bound": ~inner, "strength": found["strength"], "truth": against}))
    return pd.concat(lines).groupby(level=0).mean()


@dataclass(frozen=True)
class Beside:
    """A metric beside people, over repeats, as shares.

    Attributes:
        found: how often it agrees within comparisons with p < 5 %.
        covered: how often the interval of the area under the curve has the truth: 0.5 for a metric that knows nothing
            of clips, else the mean over the repeats.
        area: that mean.
    """

    found: float
    covered: float
    area: float


def metric_beside_people(world: World, repeats: int, knows: float = 0.0, seed: int = 0) -> Beside:
    """A metric that tells systems apart and knows of clips what people like in them, `knows` times, and noise.

    Three comparisons; both the metric and people have favourite videos, which are not the same.
    """
    rng = np.random.default_rng([seed, world.raters, world.videos, world.votes])
    clip, video, rater = world.layout()
    table = pd.DataFrame(
        {"comparison": np.repeat(["x", "y", "z"], len(clip)), "video": np.tile(video, 3), "rater": np.tile(rater, 3)}
    )
    lines = []
    for _ in range(repeats):
        metric, chosen = [], []
        lean = rng.normal(0, world.rater_sd, world.raters)
        for gap in rng.normal(0, 1, 3):
            of_videos = rng.normal(0, world.video_sd, world.videos)
            liked = of_videos[video] + rng.normal(0, world.clip_sd, world.videos * world.clips)[clip]
            chosen.append(rng.random(len(clip)) < expit(gap + liked + lean[rater]))
            noise = rng.normal(size=world.videos)[video] + rng.normal(size=world.videos * world.clips)[clip]
            metric.append(3 * gap + knows * liked + noise)
        agreement = within(np.concatenate(metric), np.concatenate(chosen), table)
        lines.append((agreement.p_value < ALPHA, agreement.auc, agreement.low, agreement.high))
    found, area, low, high = np.array(lines).T
    truth = area.mean() if knows else 0.5
    return Beside(found.mean(), ((low <= truth) & (truth <= high)).mean(), area.mean())


def side_bias(raters: int, votes: int, lean: float, repeats: int, seed: int = 0) -> tuple[float, float]:
    """How often raters without a common side are found to have one: by the test over raters, and over single votes."""
    rng = np.random.default_rng(seed)
    left = rng.random((repeats, raters, votes)) < expit(lean * rng.normal(size=(repeats, raters, 1)))
    over_raters = ttest_1samp(left.mean(axis=2), 0.5, axis=1).pvalue
    k, n = left.sum(axis=(1, 2)), raters * votes
    single = 2 * np.minimum(binom.cdf(k, n, 0.5), binom.sf(k - 1, n, 0.5))
    return float(np.mean(over_raters < ALPHA)), float(np.mean(single < ALPHA))


def chance_alpha(comparisons: int, clips: int, votes: int, seed: int = 0) -> float:
    """Krippendorff's alpha over all comparisons of votes whose coin knows the systems and nothing of clips."""
    rng = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(comparisons + 1)]
    first = np.repeat(names[:-1], clips * votes)
    second = np.repeat(names[1:], clips * votes)
    clip = np.tile(np.repeat(np.arange(clips), votes), comparisons)
    table = table_of_votes(list(first), list(second), clip, clip, np.tile(np.arange(votes), comparisons * clips))
    share = np.repeat(rng.uniform(0.2, 0.8, comparisons), clips * votes)
    table["chosen"] = np.where(rng.random(len(table)) < share, first, second)
    return float(rater_quality.agreement(table).set_index("comparison").loc[rater_quality.ALL, "alpha"])
