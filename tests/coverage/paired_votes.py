"""Several raters on the same pair: how often they agree, and what anything could predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from study_app.analysis.pair_agreement import PairedVotes, predictable
from tests.coverage.people import table_of_votes


@dataclass(frozen=True)
class Panel:
    """Comparisons of clips that several raters judge; log odds of a choice differ by clip and by rater and clip.

    Attributes:
        raters, clips, votes: raters, clips a comparison, votes a pair.
        comparisons: how many, each with a mean preference of its own.
        clip_sd, rater_sd: how much clips and raters differ.
        unequal: whether some raters do far more than others, and the last ones leave early.
    """

    raters: int
    clips: int
    votes: int
    comparisons: int = 2
    clip_sd: float = 1.0
    rater_sd: float = 0.5
    unequal: bool = False

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """Votes of one study, with the probability `share` of each pair over all raters there could be."""
        weights = 0.15 ** np.linspace(0, 1, self.raters) if self.unequal else np.ones(self.raters)
        scores = np.log(weights) + rng.gumbel(size=(self.comparisons * self.clips, self.raters))
        rater = np.argsort(-scores, axis=1)[:, : self.votes].ravel()  # nobody sees a pair twice
        pair = np.repeat(np.arange(self.comparisons * self.clips), self.votes)
        means = np.linspace(-0.5, 1.0, self.comparisons)
        odds = means[pair // self.clips] + self.clip_sd * rng.normal(size=pair[-1] + 1)[pair]
        leaning = self.rater_sd * rng.normal(size=self.raters)
        won = rng.random(len(pair)) < expit(odds + leaning[rater])
        table = table_of_votes(["a"] * len(pair), ["b"] * len(pair), pair % self.clips, pair % self.clips, rater)
        places, weight = np.polynomial.hermite_e.hermegauss(31)
        share = expit(odds[:, None] + self.rater_sd * places) @ (weight / weight.sum())
        table["comparison"] = (pair // self.clips).astype(str)
        return table.assign(chosen=np.where(won, "a", "b"), share=share)


def covered(panel: Panel, repeats: int, seed: int = 0) -> tuple[float, float, float]:
    """How often what can be predicted lies between the two estimates, and in the interval; and alpha in its own.

    What can be predicted is that of the clips there could be, as for alpha: the mean over the repeats.
    """
    rng = np.random.default_rng([seed, panel.raters, panel.clips, panel.votes])
    lines, truth = [], []
    for _ in range(repeats):
        votes = panel.draw(rng)
        found, paired = predictable(votes), PairedVotes.of(votes)
        assert paired is not None
        alpha = paired.alpha()
        truth.append(np.maximum(votes["share"], 1 - votes["share"]).mean())
        lines.append([found.least, found.most, found.low, found.high, alpha.value, alpha.low, alpha.high])
    least, most, low, high, alphas, alpha_low, alpha_high = np.array(lines).T
    of, chance = float(np.mean(truth)), float(np.mean(alphas))
    between = (least <= of) & (of <= most)
    return (
        float(np.mean(between)),
        float(np.mean((low <= of) & (of <= high))),
        float(np.mean((alpha_low <= chance) & (chance <= alpha_high))),
    )


PANELS = (
    Panel(20, 40, 2),
    Panel(20, 40, 3, unequal=True),
    Panel(6, 40, 3, rater_sd=1.5),
    Panel(12, 15, 4, clip_sd=0.3),
    Panel(12, 15, 2, clip_sd=2.5, unequal=True),
)
