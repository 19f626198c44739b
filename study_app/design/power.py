"""Number of votes that a comparison needs: exact test of independent votes, and simulated studies of raters and clips.

Votes of one rater are correlated, as are votes on one clip, and several comparisons are corrected for. A study
therefore needs more votes than the exact test suggests.

The simulation draws raters and clips that lean to one side or the other. Each clip is judged by different raters, and
each rater sees each pair once. The test is that of `study_app.analysis.preference_scores`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom

from bench.errors import BenchError
from bench.statistics.two_way_clusters import Crossing, shares
from study_app.design.settings import WORKLOAD

ALPHA = 0.05
PREFERENCES = (0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.90)
POWERS = (0.8, 0.9)
WANTED = 0.8
LARGEST = 5000
#: Simulated comparisons per design; their power is known to ± 2 %.
REPEATS = 2000
#: Number of independent layouts of studies with unequal sessions; the repeats are divided among them.
LAYOUTS = 200
#: Votes per comparison at which a design is evaluated, and votes per pair.
VOTES = (50, 100, 150, 200, 300, 400, 600, 800)
PER_PAIR = (1, 2, 5)
#: Share of the clips' variance that is due to their source videos, if videos have several clips.
OF_VIDEOS = 0.5


def exact_power(n: int, preference: float, alpha: float = ALPHA) -> float:
    """Probability that the exact two-sided test of `n` trials against 50 % rejects at `alpha`."""
    # the largest k whose two tails stay within alpha; symmetric at one half
    k = int(binom.ppf(alpha / 2, n, 0.5))
    while k >= 0 and 2 * binom.cdf(k, n, 0.5) > alpha:
        k -= 1
    return float(binom.cdf(k, n, preference) + binom.sf(n - k - 1, n, preference)) if k >= 0 else 0.0


def trials_needed(preference: float, power: float, alpha: float = ALPHA) -> int:
    """The number of independent trials from which on the power to detect a true preference stays at least `power`.

    Power rises in a saw-tooth: a smaller number may reach it, and one more trial may lose it again. The result is 0 if
    more than `LARGEST` trials are needed.
    """
    # far beyond the normal approximation, the power never falls below the target again
    guess = 4 + ((3.0 + _normal(alpha)) / (2 * abs(preference - 0.5))) ** 2
    top = min(LARGEST, int(1.5 * guess))
    n = np.arange(1, top + 1)
    k = binom.ppf(alpha / 2, n, 0.5)
    k = np.where(2 * binom.cdf(k, n, 0.5) > alpha, k - 1, k)
    reached = binom.cdf(k, n, preference) + binom.sf(n - k - 1, n, preference) >= power
    missed = np.flatnonzero(~reached)
    last = int(n[missed[-1]]) if len(missed) else 0
    return last + 1 if last < top else 0


def _normal(alpha: float) -> float:
    from scipy.stats import norm

    return float(norm.isf(alpha / 2))


def table(
    comparisons: int = 1, preferences: Sequence[float] = PREFERENCES, powers: Sequence[float] = POWERS
) -> pd.DataFrame:
    """Independent votes needed per true preference, before and after Holm, and the power of the paper's 100 votes.

    Holm's correction is applied as if no other of the `comparisons` differed: 5 % divided by their number.
    """
    rows = []
    for preference in preferences:
        needed = [trials_needed(preference, power) for power in powers]
        corrected = [trials_needed(preference, powers[0], ALPHA / comparisons)] if comparisons > 1 else []
        rows.append([preference, *needed, *corrected, round(exact_power(100, preference), 3)])
    names = [f"trials_for_{power:.0%}_power".replace("%", "") for power in powers]
    holm = [f"{names[0]}_holm_{comparisons}"] if comparisons > 1 else []
    return pd.DataFrame(rows, columns=["preference", *names, *holm, "power_of_100_trials"])


@dataclass(frozen=True)
class Design:
    """A planned study.

    Attributes:
        comparisons: number of comparisons over which Holm corrects.
        raters: number of raters, who share the votes of each comparison evenly.
        clips: clips per comparison.
        votes: votes per pair.
        preference: the true share of votes for the first method.
        videos: number of source videos of the clips; equal to `clips` if each clip has its own.
        rater_sd, clip_sd: how much raters and clips differ, in log odds.
        workload: trials per rater; None: as many as are required for all votes.
        unequal: how much sessions differ in length, as a coefficient of variation; 0: not at all.
        drop_out: share of raters who leave early, at any point of their session.
    """

    comparisons: int = 7
    raters: int = 30
    clips: int = 100
    votes: int = 1
    preference: float = 0.6
    videos: int = 100
    rater_sd: float = 0.3
    clip_sd: float = 0.5
    workload: int | None = None
    unequal: float = 0.0
    drop_out: float = 0.0

    def check(self) -> None:
        """Raise a `BenchError` for numbers that do not make a valid study."""
        for name in ("comparisons", "clips", "votes"):
            if getattr(self, name) < 1:
                raise BenchError(f"A study needs {name} of at least 1, not {getattr(self, name)}.")
        if self.raters < 2 or self.videos < 2:
            raise BenchError("With fewer than two raters or two videos, results do not generalise. Plan for more.")
        if self.votes > self.raters:
            raise BenchError(
                f"{self.raters} raters cannot give {self.votes} votes per pair, because nobody sees a pair "
                "twice. Plan for more raters or fewer votes."
            )
        if self.videos > self.clips:
            raise BenchError(f"{self.clips} clips come from {self.clips} videos at most, not {self.videos}.")
        if not 0 < self.preference < 1:
            raise BenchError(f"--preference is {self.preference}: expected a share of votes between 0 and 1.")
        if min(self.rater_sd, self.clip_sd) < 0:
            raise BenchError("Standard deviations over raters and clips cannot be below 0.")
        if self.workload is not None and self.workload < 1:
            raise BenchError(f"--workload is {self.workload}: expected at least 1 trial.")
        if not (0 <= self.unequal <= 3 and 0 <= self.drop_out < 1):
            raise BenchError(
                f"--unequal is {self.unequal:g} (expected 0 to 3) and --drop-out is {self.drop_out:g} (expected a "
                "share from 0 to below 1)."
            )

    @property
    def all_votes(self) -> int:
        """Votes of one comparison."""
        return self.clips * self.votes

    @property
    def trials(self) -> int:
        """Average number of trials per rater that all votes of all comparisons require."""
        return math.ceil(self.comparisons * self.all_votes / self.raters)

    @property
    def raters_needed(self) -> int:
        """Raters needed for all votes if each does `workload` trials (`WORKLOAD` if not set), including drop-out."""
        done = (self.workload or WORKLOAD) * (1 - self.drop_out / 2)
        return math.ceil(self.comparisons * self.all_votes / done)

    def of_size(self, all_votes: int, votes: int) -> Design:
        """The same design with about `all_votes` per comparison, `votes` per pair, and videos scaled with the clips."""
        clips = max(2, round(all_votes / votes))
        return replace(
            self, clips=clips, votes=votes, videos=max(2, min(clips, round(self.videos * clips / self.clips)))
        )


@dataclass(frozen=True)
class Power:
    """Power of a design: the probability that a comparison's preference is detected.

    Attributes:
        alone: at 5 %, as if it were the only comparison.
        corrected: after Holm regardless of the other comparisons, that is, at 5 % divided by their number.
    """

    alone: float
    corrected: float


def centre(preference: float, spread: float) -> float:
    """Mean of normally distributed log odds that, with that spread, give a mean share of `preference`."""
    places, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    return float(brentq(lambda centre: weights @ expit(centre + spread * places) - preference, -50, 50))


def p_values(design: Design, repeats: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[repeats] p values of one comparison in simulated studies."""
    if design.unequal or design.drop_out:
        each = math.ceil(repeats / LAYOUTS)
        parts = [_p_values(design, each, _unequal_raters(design, rng), rng) for _ in range(LAYOUTS)]
        return np.concatenate(parts)[:repeats]
    # consecutive raters, so that none sees a pair twice
    return _p_values(design, repeats, np.arange(design.all_votes) % design.raters, rng)


def _unequal_raters(design: Design, rng: np.random.Generator) -> NDArray[np.intp]:
    """[votes] raters of one study: each votes in proportion to session length, and never twice on a pair."""
    length = np.ones(design.raters)
    if design.unequal:
        length = np.maximum(rng.gamma(design.unequal**-2, design.unequal**2, design.raters), 1e-3)
    length = length * np.where(rng.random(design.raters) < design.drop_out, rng.uniform(0, 1, design.raters), 1.0)
    # largest log weight plus Gumbel noise: draws in proportion to the weights, without repeats within a pair
    scores = np.log(np.maximum(length, 1e-9)) + rng.gumbel(size=(design.clips, design.raters))
    return np.argsort(-scores, axis=1)[:, : design.votes].ravel()


def _p_values(design: Design, repeats: int, rater: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
    """[repeats] p values of simulated studies in which the given raters vote."""
    clip = np.repeat(np.arange(design.clips), design.votes)
    video = np.arange(design.clips) % design.videos
    single = 1 - OF_VIDEOS if design.videos < design.clips else 1.0
    of_clip = np.sqrt(single) * rng.normal(size=(repeats, design.clips))
    of_clip += np.sqrt(1 - single) * rng.normal(size=(repeats, design.videos))[:, video]
    odds = centre(design.preference, float(np.hypot(design.rater_sd, design.clip_sd)))
    odds = (
        odds + design.clip_sd * of_clip[:, clip] + design.rater_sd * rng.normal(size=(repeats, design.raters))[:, rater]
    )
    wins = (rng.random(odds.shape) < expit(odds)).astype(np.float64)
    return shares(wins, Crossing.of(rater, video[clip])).p_value


def simulated_power(design: Design, repeats: int = REPEATS, seed: int = 0) -> Power:
    """Power of a design; raises a `BenchError` for numbers that do not make a valid study."""
    design.check()
    p_of_repeats = p_values(design, repeats, np.random.default_rng(seed))
    return Power(*(float(np.mean(p_of_repeats < ALPHA / tests)) for tests in (1, design.comparisons)))


def curves(design: Design, repeats: int = REPEATS, seed: int = 0) -> pd.DataFrame:
    """Power by votes per comparison and votes per pair, with columns votes, per_pair, clips, alone, corrected.

    The more clips differ, the more informative it is to spread the votes over more clips with fewer votes per pair.
    """
    rows = []
    for per_pair in sorted({*PER_PAIR, design.votes}):
        if per_pair > design.raters:
            continue
        for votes in sorted({*VOTES, design.all_votes}):
            one = design.of_size(votes, per_pair)
            simulated = simulated_power(one, repeats, seed)
            rows.append([one.all_votes, per_pair, one.clips, simulated.alone, simulated.corrected])
    return pd.DataFrame(rows, columns=["votes", "per_pair", "clips", "alone", "corrected"])


def safe_votes(curve: pd.DataFrame, per_pair: int, power: float = WANTED) -> int | None:
    """Votes per comparison at which `curves`' corrected power first reaches `power`; None if beyond the curves."""
    points = curve[curve["per_pair"] == per_pair].sort_values("votes")
    votes, reached = (
        points["votes"].to_numpy(np.float64),
        np.maximum.accumulate(points["corrected"].to_numpy(np.float64)),
    )
    if reached[-1] < power:
        return None
    # between two numbers of votes, power is interpolated linearly
    return int(np.ceil(np.interp(power, reached, votes)))
